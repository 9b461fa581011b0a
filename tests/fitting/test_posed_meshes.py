"""fit_posed_meshes: known codes and poses of whole meshes come back."""

import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.posed_meshes import fit_posed_meshes
from meshgan.fitting.poses import Poses
from tests.fitting.linear_faces import LinearFaces
from tests.fitting.test_poses import some_poses


@pytest.mark.parametrize("scale", [False, True])
def test_known_codes_and_poses(scale):
    model = LinearFaces(vertices=400, bend=0.5)
    codes = model.sample_codes(3, torch.Generator().manual_seed(1))
    poses = some_poses(3)
    poses = poses if scale else Poses(poses.rotation, poses.translation, torch.ones(3).double())
    meshes = poses.apply(model.decode(codes))
    fit = fit_posed_meshes(model, meshes, 1e-3, scale=scale)
    assert fit.poses is not None
    torch.testing.assert_close(fit.poses.rotation, poses.rotation, atol=1e-3, rtol=0)
    torch.testing.assert_close(fit.poses.scale, poses.scale, atol=1e-3, rtol=0)
    torch.testing.assert_close(model.join(fit.codes), model.join(codes), atol=0.02, rtol=0)
    left = (fit.vertices(model) - meshes).square().sum(dim=2).mean(dim=1).sqrt()
    torch.testing.assert_close(fit.landmark_rms_mm, left)
    assert (left < 0.1).all()


def test_refuses():
    model = LinearFaces()
    with pytest.raises(ShapeError, match=r"expected \(B, 40, 3\): the model's topology; fit"):
        fit_posed_meshes(model, torch.zeros(1, 39, 3))
    with pytest.raises(InputError, match="not finite"):
        fit_posed_meshes(model, torch.full((1, 40, 3), torch.nan))
