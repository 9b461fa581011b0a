"""The default faces, opened once per process."""

import numpy as np
import pytest

from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.bases import FaceBases, load_bases
from meshgan.data.synthetic.expressions import Expressions
from meshgan.data.synthetic.people import Population
from meshgan.data.synthetic.recipe import read_recipe
from meshgan.data.synthetic.rig import FaceRig
from meshgan.data.synthetic.source import FaceSource


@pytest.fixture(scope="session")
def source() -> FaceSource:
    return open_source("low")


@pytest.fixture(scope="session")
def bases() -> FaceBases:
    return load_bases(read_recipe("low").outline)


@pytest.fixture(scope="session")
def rig(bases) -> FaceRig:
    return FaceRig(bases)


@pytest.fixture(scope="session")
def expressions(bases) -> Expressions:
    return Expressions(bases.action_names)


@pytest.fixture(scope="session")
def population(bases) -> Population:
    return Population(bases, read_recipe("low").outline)


@pytest.fixture(scope="session")
def reference(bases) -> np.ndarray:
    return bases.reference()
