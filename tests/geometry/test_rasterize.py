"""The pixel lookup: exact on linear functions, the same as two independent rasterisers."""

import numpy as np
import pytest
import torch
from matplotlib.tri import Triangulation

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.rasterize import coverage, pixel_centres, rasterize_uv
from meshgan.geometry.visibility import interpolate_visible, visible_triangles
from tests.geometry import shapes


@pytest.fixture(scope="module")
def patch():
    return shapes.flat_square(9, shake=0.35)


def test_row_zero_is_the_top():
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    lookup = rasterize_uv(uv, np.array([[0, 1, 2], [0, 2, 3]]), 2)
    # pixel (0, 0) is the upper left: (0.25, 0.75) = 1/4 of corner 0, 1/4 of 2, 1/2 of 3
    assert lookup.faces_of_pixels[0, 0] == 1
    assert lookup.corners[0, 0].tolist() == [0, 2, 3]
    np.testing.assert_allclose(lookup.weights[0, 0], [0.25, 0.25, 0.5], atol=1e-12)
    assert lookup.faces_of_pixels[1, 1] == 0
    assert (lookup.size_px, lookup.vertex_count) == (2, 4)


@pytest.mark.parametrize("size_px", [1, 7, 64])
def test_uv_maps_to_pixel_centres(patch, size_px):
    lookup = rasterize_uv(patch.uv, patch.faces, size_px)
    reached = (patch.uv[lookup.corners.numpy()] * lookup.weights.numpy()[..., None]).sum(axis=-2)
    steps = (np.arange(size_px) + 0.5) / size_px
    np.testing.assert_allclose(reached[..., 0], np.tile(steps, (size_px, 1)), atol=1e-12)
    np.testing.assert_allclose(reached[..., 1], np.tile(steps[::-1, None], size_px), atol=1e-12)


def test_weights_are_convex(patch):
    weights = rasterize_uv(patch.uv, patch.faces, 33).weights
    assert weights.dtype == torch.float64
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(33, 33, dtype=torch.float64))


def test_agrees_with_the_z_buffer(patch):
    size_px = 50
    uv, faces = torch.from_numpy(patch.uv), torch.from_numpy(patch.faces)
    points = torch.stack([uv[:, 0], 1 - uv[:, 1]], dim=1)[None] * size_px
    seen = visible_triangles(points, torch.zeros(1, len(uv)), faces, size_px)
    values = torch.randn(1, len(uv), 2, dtype=torch.float64)
    expected = interpolate_visible(seen, points, values, faces)[0]
    lookup = rasterize_uv(patch.uv, patch.faces, size_px)
    found = (values[0][lookup.corners] * lookup.weights[..., None]).sum(dim=-2)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert (seen[0] == lookup.faces_of_pixels).float().mean() > 0.999  # but for pixels on an edge


def test_agrees_with_matplotlib(patch):
    finder = Triangulation(*patch.uv.T, patch.faces).get_trifinder()
    centres = pixel_centres(41)
    expected = finder(centres[..., 0], centres[..., 1])
    found = rasterize_uv(patch.uv, patch.faces, 41).faces_of_pixels.numpy()
    assert (found == expected).mean() > 0.999


def test_pixels_outside_take_the_closest_point():
    uv = np.array([[0.0, 0], [1, 0], [0, 1]])  # the lower left half of the square
    faces = np.array([[0, 1, 2]])
    lookup = rasterize_uv(uv, faces, 4)
    covered = coverage(lookup, uv)
    lower_left = np.tri(4, dtype=bool)
    assert covered.tolist() == lower_left.tolist()
    np.testing.assert_allclose(lookup.weights[0, 3], [0, 0.5, 0.5], atol=1e-12)


def test_slivers_keep_their_place():
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5], [0.5 + 1e-9, 0.5]])
    faces = np.array([[0, 1, 5], [0, 5, 4], [1, 2, 5], [2, 3, 4], [2, 4, 5], [3, 0, 4]])
    assert coverage(rasterize_uv(uv, faces, 31), uv).all()


def test_collapsed_triangles_are_left_out():
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
    on_a_line, whole = [[0, 4, 2], [2, 4, 0]], [[0, 1, 2], [0, 2, 3]]
    lookup = rasterize_uv(uv, np.array(on_a_line + whole), 8)
    assert lookup.faces_of_pixels.min() == 2
    assert coverage(lookup, uv).all()
    with pytest.raises(InputError, match="all 2 triangles of the UV map are collapsed"):
        rasterize_uv(uv, np.array(on_a_line), 8)


def test_refusals(patch):
    with pytest.raises(InputError, match="size is 0 pixels"):
        rasterize_uv(patch.uv, patch.faces, 0)
    with pytest.raises(InputError, match="no faces"):
        rasterize_uv(patch.uv, patch.faces[:0], 4)
    with pytest.raises(ShapeError, match="vertex 80 of 80 UVs"):
        rasterize_uv(patch.uv[:80], patch.faces, 4)
    bad = patch.uv.copy()
    bad[3] = np.nan
    with pytest.raises(InputError, match="1 of 81 UVs are not finite"):
        rasterize_uv(bad, patch.faces, 4)
    with pytest.raises(ShapeError, match="80 UVs, the lookup has 81"):
        coverage(rasterize_uv(patch.uv, patch.faces, 4), patch.uv[:80])
