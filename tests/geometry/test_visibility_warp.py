"""The Warp kernels: the same triangles and normals as the plain z-buffer, whatever the batch."""

import builtins
import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError, ShapeError
from meshgan.geometry import visibility, visibility_backend
from meshgan.geometry.normals import vertex_normals
from meshgan.geometry.visibility_backend import warp_visibility
from tests.fakes import face_like_mesh
from tests.geometry import shapes
from tests.geometry.test_visibility import random_scene

SIZE = 24


@pytest.fixture(scope="module")
def kernels():
    found = warp_visibility("cpu")
    assert found is not None, "Warp comes with anny and should work on any CPU"
    return found


@pytest.fixture(scope="module")
def domes():
    """Five shaken domes (5, 400, 3), their pixels, depths and faces."""
    one, faces = face_like_mesh(20)
    rng = torch.Generator().manual_seed(0)
    vertices = torch.from_numpy(one) + 2 * torch.randn(5, 400, 3, generator=rng)
    points = torch.stack([vertices[..., 0] + 100, 100 - vertices[..., 1]], dim=-1) * (SIZE / 200)
    return vertices, points, vertices[..., 2].contiguous(), torch.from_numpy(faces)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cull=st.booleans())
def test_sees_the_same_triangles_as_torch(kernels, seed, cull):
    points, depth, faces = (part.float() if part.is_floating_point() else part
                            for part in random_scene(seed, batch=3, triangles=40))  # fmt: skip
    found = kernels.visible_triangles(points, depth, faces, SIZE, cull=cull)
    expected = visibility.visible_triangles(points, depth, faces, SIZE, cull=cull)
    assert found.dtype == torch.int64
    assert (found == expected).double().mean() > 0.995  # pixels may lie within 1e-5 of an edge
    assert 0 < (found >= 0).double().mean() < 1


def test_triangles_far_outside_are_cut_off(kernels):
    points = torch.tensor([[[-1e30, 3e30], [3e30, 3e30], [-1e30, -1e30], [2, 9], [2, 9], [2, 9]]])
    seen = kernels.visible_triangles(
        points / 1e24, torch.zeros(1, 6), torch.arange(6).view(2, 3), 8
    )
    assert (seen == 0).all()


def test_equal_depth_and_the_sign_of_depth(kernels):
    square = torch.tensor([[0.0, 4], [4, 4], [0, 0]]).repeat(3, 1)[None]
    faces = torch.arange(9).view(3, 3)
    for depths, first in (((1, 1, 1), 2), ((-5, -1, -3), 1), ((1e-3, -1e-3, 0), 0)):
        depth = torch.tensor(depths).float().repeat_interleave(3)[None]
        assert kernels.visible_triangles(square, depth, faces, 4)[0, 3, 0] == first


def test_normals_are_those_of_torch(kernels, domes):
    vertices, points, depth, faces = domes
    seen = kernels.visible_triangles(points, depth, faces, SIZE)
    normals = vertex_normals(vertices, faces)
    shown = visibility.interpolate_visible(seen, points, normals, faces)
    expected = torch.nn.functional.normalize(shown, dim=-1).permute(0, 3, 1, 2)
    found = kernels.visible_normals(seen, points, vertices, faces)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_batch_and_threads_do_not_matter(kernels, domes, monkeypatch):
    vertices, points, depth, faces = domes
    whole = kernels.visible_triangles(points, depth, faces, SIZE)
    normals = kernels.visible_normals(whole, points, vertices, faces)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(kernels.visible_triangles(points, depth, faces, SIZE), whole)
    assert torch.equal(kernels.visible_normals(whole, points, vertices, faces), normals)
    some = slice(3, 4)
    assert torch.equal(
        kernels.visible_triangles(points[some], depth[some], faces, SIZE), whole[some]
    )
    assert torch.equal(
        kernels.visible_normals(whole[some], points[some], vertices[some], faces), normals[some]
    )
    assert kernels.visible_triangles(points[:0], depth[:0], faces, SIZE).shape == (0, SIZE, SIZE)


def test_strided_input_is_read_right(kernels, domes):
    _, points, depth, faces = domes
    expected = kernels.visible_triangles(points, depth, faces, SIZE)
    strided = points.permute(1, 0, 2).contiguous().permute(1, 0, 2)
    other = kernels.visible_triangles(strided, depth.double(), faces.int(), SIZE)
    assert torch.equal(other, expected)


def test_refusals(kernels, domes):
    _, points, depth, faces = domes
    with pytest.raises(ShapeError, match="differ"):
        shapes.unchecked(kernels.visible_triangles)(points, depth[:1], faces, SIZE)
    broken = depth.clone()
    broken[1, 7] = torch.inf
    with pytest.raises(InputError, match="not finite"):
        kernels.visible_triangles(points, broken, faces, SIZE)


@pytest.fixture
def ask_again():
    """The choice is made once per process: forget it before and after."""
    visibility_backend.warp_visibility.cache_clear()
    yield visibility_backend.warp_visibility
    visibility_backend.warp_visibility.cache_clear()


def test_without_warp_torch_draws_and_says_so_once(ask_again, monkeypatch, caplog):
    real_import = builtins.__import__

    def import_without_warp(name, *args, **kwargs):
        if name == "meshgan.geometry" and "visibility_warp" in (args[2] or ()):
            raise ImportError("No module named 'warp'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", import_without_warp)
    with caplog.at_level(logging.WARNING):
        assert ask_again("cpu") is None
        assert ask_again("cpu") is None
    assert [record.message for record in caplog.records] == [
        "Warp does not work on cpu (ImportError: No module named 'warp'); "
        "torch draws instead, about five times slower"
    ]


def test_warp_that_draws_nonsense_is_not_used(ask_again, kernels, monkeypatch):
    monkeypatch.setattr(
        kernels, "visible_triangles", lambda points, *_: torch.zeros(len(points), 2, 2).long()
    )
    assert ask_again("cpu") is None
