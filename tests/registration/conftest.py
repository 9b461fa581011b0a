"""The prior of the default faces, once per process, and a scan of a face that it never saw."""

import numpy as np
import pytest

from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.scanner import SyntheticScan, scan_face
from meshgan.registration.prior import FacePrior, default_prior


@pytest.fixture(scope="session")
def prior() -> FacePrior:
    return default_prior()


@pytest.fixture(scope="session")
def face_scan() -> SyntheticScan:
    source = open_source("low")
    template = source.template
    face = source.neutral(0, 3)
    landmarks = template.landmarks["ibug68"]
    return scan_face(face, template.mesh.faces, np.random.default_rng(0), landmarks=landmarks)
