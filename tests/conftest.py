"""Shared by all tests: one thread, one cache of default faces, a tiny data set and a tiny run."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MESHGAN_CACHE", str(Path(tempfile.gettempdir()) / "meshgan-test-cache"))

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
# The same examples in every run: what fails here failed with the change at hand.
# New examples: pytest --hypothesis-profile=explore
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("repeatable")

TINY_DATA = {"count": 260, "subjects": 12, "labelled": 0.2}
TINY_RUN = (
    "model.codes={identity: 8, expression: 6}",
    "model.noise=2",
    "model.hidden=32",
    "model.image_size=32",
    "step.batch=8",
    "step.discriminator_first=0",
    "train.iterations=6",
    "train.save_every=2",
    "train.validate_every=3",
    "train.preview_every=3",
    "train.log_every=1",
    "train.accelerator=cpu",
)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder once for all worker processes: the first one to finish gives it its name."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, build: Callable[[Path], object]) -> Path:
        final = shared / f"shared-{name}"
        if not final.exists():
            mine = tmp_path_factory.mktemp(name) / name
            build(mine)
            try:
                mine.rename(final)
            except OSError:  # another worker was first
                shutil.rmtree(mine)
        return final

    return make


@pytest.fixture(scope="session")
def tiny_data(made_once) -> Path:
    """260 default faces of 12 people, low resolution; not to be changed."""
    from meshgan.apps.data import build_data

    return made_once("tiny-data", lambda path: build_data(path, **TINY_DATA))


@pytest.fixture(scope="session")
def tiny_run(made_once, tiny_data) -> Path:
    """Six iterations on ``tiny_data``, from the additive start; not to be changed."""
    from meshgan.apps.run_config import read_config
    from meshgan.apps.train import train

    return made_once(
        "tiny-run", lambda path: train(tiny_data, path, read_config("quick", None, TINY_RUN))
    )
