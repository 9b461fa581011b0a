"""Mesh quality: folds are counted by hand, curvature against a quadratic and a sphere."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.quality import QualityMeter
from tests.fakes import face_like_mesh


def flat_grid(side: int = 21, step_mm: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    _, faces = face_like_mesh(side)
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    flat = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3) * step_mm
    return torch.from_numpy(flat).double(), torch.from_numpy(faces)


def test_pulled_vertex_inverts_its_triangles():
    vertices, faces = flat_grid(5)
    meter = QualityMeter(vertices, faces)
    pulled = vertices.clone()
    pulled[12, 0] += 2.5  # past its neighbour at +1 and beyond
    # by the sign of the planar double areas
    p = pulled[:, :2].numpy()[faces.numpy()]
    a, b = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    expected = int((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0).sum())
    assert expected > 0
    assert meter.inverted_triangles(torch.stack([vertices, pulled])).tolist() == [0, expected]


@pytest.mark.parametrize("step_mm", [0.5, 1.0, 2.0])
def test_paraboloid_has_its_curvature_at_any_resolution(step_mm):
    vertices, faces = flat_grid(21, step_mm)
    meter = QualityMeter(vertices, faces)
    x, y = vertices[:, 0], vertices[:, 1]
    lifted = vertices.clone()
    lifted[:, 2] = 0.05 * x**2 + 0.02 * y**2  # Laplacian 0.1 + 0.04 everywhere, 1/mm
    residual = meter.laplacian_residual(lifted[None])
    torch.testing.assert_close(
        residual, torch.tensor([0.14], dtype=torch.float64), rtol=1e-6, atol=0
    )


def test_linear_motion_has_no_residual():
    vertices, faces = flat_grid()
    moved = 1.3 * vertices + torch.tensor([3.0, -2.0, 5.0], dtype=torch.float64)
    residual = QualityMeter(vertices, faces).laplacian_residual(moved[None])
    torch.testing.assert_close(residual, torch.zeros(1, dtype=torch.float64), atol=1e-9, rtol=0)


def test_noise_raises_the_residual_of_its_mesh_only():
    vertices, faces = (torch.from_numpy(array) for array in face_like_mesh(16))
    noise = 0.5 * torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
    smooth, rough = vertices + 0.1, vertices + noise
    residual = QualityMeter(vertices, faces).laplacian_residual(torch.stack([smooth, rough]))
    assert residual[0] < 1e-6
    assert residual[1] > 0.01


def test_measure_averages_over_batches():
    vertices, faces = flat_grid(6)
    meter = QualityMeter(vertices, faces)
    generator = torch.Generator().manual_seed(1)
    meshes = vertices + torch.randn(5, 36, 3, generator=generator, dtype=torch.float64)
    whole, parts = meter.measure([meshes]), meter.measure([meshes[:2], meshes[2:]])
    assert whole["inverted_triangles"].mean == float(
        meter.inverted_triangles(meshes).double().mean()
    )
    for name, value in whole.items():
        assert parts[name].mean == pytest.approx(value.mean, rel=1e-12)
        assert parts[name].count == 5


def test_refuses_bad_input():
    meter = QualityMeter(*flat_grid(5))
    with pytest.raises(ShapeError, match="24 vertices, the template 25"):
        meter.inverted_triangles(torch.zeros(1, 24, 3))
    with pytest.raises(InputError, match="no values to average"):
        meter.measure([])
