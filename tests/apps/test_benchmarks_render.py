"""``bench render``: both ways draw the same surfaces, and all times stand in the answer."""

import numpy as np
import pytest
import torch

from meshgan.apps.benchmarks import render
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.open3d_probe import import_problem
from meshgan.pictures.normal_maps import NormalMaps


def test_times_and_agreement():
    found = render.run(rounds=2, small=True)
    assert found["backend"] == "warp"
    assert found["pixels_that_differ"] <= 1e-3
    assert found["ms_per_image"] == pytest.approx(found["ms"] / 2)
    assert (found["embree_ms_per_image"] is None) == (import_problem() is not None)


def test_surfaces_differ_and_stay_in_view():
    mesh = delaunay_disk(300)
    surfaces = render._bent(mesh, 3)
    assert (surfaces[0] - surfaces[1]).norm(dim=-1).mean() > 1
    maps = NormalMaps(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces), 32)
    covered = (maps.maps(surfaces) != 0).any(dim=1).double().mean(dim=(1, 2))
    assert ((covered > 0.5) & (covered < 0.95)).all()


def test_rays_go_through_pixel_centres():
    mesh = delaunay_disk(300)
    maps = NormalMaps(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces), 32)
    rays = torch.from_numpy(render._rays(maps))
    points, _ = maps.frame.to_pixels(maps.frame.turn(rays[..., :3].reshape(1, -1, 3)), 32)
    centres = np.stack(np.meshgrid(np.arange(32) + 0.5, np.arange(32) + 0.5), axis=-1)
    np.testing.assert_allclose(points[0].view(32, 32, 2), centres, atol=1e-3)
