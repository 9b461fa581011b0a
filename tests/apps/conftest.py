"""A data set of domes and a run on it, for the tests of what is done with runs."""

from pathlib import Path

import pytest

from meshgan.apps.train import train
from tests.apps.domes import dome_config, dome_data


@pytest.fixture(scope="session")
def domes(tmp_path_factory) -> Path:
    """64 domes of 8 people with 4 expressions and 3 visemes, all labelled."""
    return dome_data(tmp_path_factory.mktemp("domes") / "data")


@pytest.fixture(scope="session")
def dome_run(tmp_path_factory, domes) -> Path:
    """A run of four iterations on the domes; not to be changed."""
    run = tmp_path_factory.mktemp("dome_run") / "run"
    train(domes, run, dome_config("model.start=additive"))
    return run
