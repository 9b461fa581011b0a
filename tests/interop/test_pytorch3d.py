"""Parity with PyTorch3D where it is installed; a clear error where it is not."""

import importlib.util

import numpy as np
import pytest
import torch

from meshgan.errors import MissingExtraError
from meshgan.geometry.normals import vertex_normals
from meshgan.geometry.operators import cotangent_laplacian
from meshgan.interop.pytorch3d import from_pytorch3d, to_pytorch3d
from tests.fakes import face_like_mesh

INSTALLED = importlib.util.find_spec("pytorch3d") is not None
needs_pytorch3d = pytest.mark.skipif(
    not INSTALLED, reason="pytorch3d is not installed (no wheel for this Python)"
)


@pytest.fixture
def mesh():
    vertices, faces = face_like_mesh()
    return torch.from_numpy(vertices)[None], torch.from_numpy(faces)


@pytest.mark.skipif(INSTALLED, reason="pytorch3d is installed")
def test_says_what_is_missing(mesh):
    with pytest.raises(MissingExtraError, match="nothing in meshgan needs it"):
        to_pytorch3d(*mesh)


@needs_pytorch3d
def test_round_trip(mesh):
    vertices, faces = from_pytorch3d(to_pytorch3d(*mesh))
    assert torch.equal(vertices, mesh[0])
    assert torch.equal(faces, mesh[1])


@needs_pytorch3d
def test_vertex_normals_agree(mesh):
    theirs = to_pytorch3d(*mesh).verts_normals_padded()
    torch.testing.assert_close(vertex_normals(*mesh), theirs, atol=1e-4, rtol=0)


@needs_pytorch3d
def test_cotangent_laplacians_agree(mesh):
    from pytorch3d.ops import cot_laplacian

    theirs, _ = cot_laplacian(mesh[0][0].double(), mesh[1])
    weights = theirs.to_dense().numpy()  # off-diagonal sums of both cotangents, not halved
    ours = cotangent_laplacian(mesh[0][0].double().numpy(), mesh[1].numpy()).toarray()
    np.testing.assert_allclose(-2 * (ours - np.diag(np.diag(ours))), weights, atol=1e-6)
