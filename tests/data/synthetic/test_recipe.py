"""Recipes, regions and the templates that come of them."""

import numpy as np
import pytest

from meshgan.data.synthetic import open_source
from meshgan.data.synthetic import recipe as recipes
from meshgan.data.synthetic.recipe import RegionRule, read_recipe
from meshgan.data.synthetic.regions import distance_to_line, find_regions, inside_polygon
from meshgan.errors import ConfigError, InputError
from meshgan.geometry.operators import face_areas
from meshgan.geometry.topology import is_disk
from tests.geometry.shapes import hill


@pytest.fixture(scope="module", params=["low", "paper"])
def template(request):
    return open_source(request.param).template


def test_size(template):
    low, high = {"anny_low": (4_900, 5_100), "anny_paper": (19_500, 22_200)}[template.name]
    assert low <= template.vertex_count <= high
    assert is_disk(template.vertex_count, template.mesh.faces)


def test_exactly_symmetric(template):
    vertices, uv, mirror = template.mesh.vertices, template.mesh.uv, template.mirror
    np.testing.assert_array_equal(vertices[mirror] * [-1, 1, 1] + 0.0, vertices + 0.0)
    np.testing.assert_allclose(uv[mirror] * [-1, 1] + [1, 0], uv, atol=1e-12)
    across = {tuple(sorted(face)) for face in mirror[template.mesh.faces].tolist()}
    assert across == {tuple(sorted(face)) for face in template.mesh.faces.tolist()}


def test_uv_fills_the_square_without_flips(template):
    corners = template.mesh.uv[template.mesh.faces]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    assert area.min() > 0
    assert area.sum() == pytest.approx(1)
    bottom, top = template.mesh.uv[template.landmarks["ibug68"][[8, 27]], 1]
    assert bottom < 0.2 < top  # the chin is low


def test_no_thin_triangles(template):
    """A Laplacian with cotangents would not like them."""
    points = template.mesh.vertices.astype(np.float64)[template.mesh.faces]
    sides = np.linalg.norm(points - np.roll(points, 1, axis=1), axis=2)
    shape = 2 * face_areas(template.mesh.vertices, template.mesh.faces) / sides.max(axis=1) ** 2
    assert np.quantile(shape, 0.01) > 0.15
    assert shape.min() > 0.01


def test_landmarks_lie_where_their_names_say(template):
    points = template.mesh.vertices[template.landmarks["ibug68"]]
    right_to_left = points[[0, 17, 36, 39, 42, 45, 26, 16], 0]
    assert (np.diff(right_to_left) != 0).all()
    assert (right_to_left[:4] < 0).all()
    assert (right_to_left[4:] > 0).all()
    downwards = points[[19, 37, 30, 33, 51, 57, 8], 1]
    assert (np.diff(downwards) < 0).all()
    assert points[:, 2].argmax() == 30  # the tip of the nose
    np.testing.assert_array_equal(template.landmarks["fit85"][:68], template.landmarks["ibug68"])
    assert len(np.unique(template.landmarks["fit85"])) == 85


def test_landmarks_are_symmetric(template):
    ids, mirror = template.landmarks["ibug68"], template.mirror
    jaw, brows, nose = ids[:17], ids[17:27], ids[27:36]
    np.testing.assert_array_equal(mirror[jaw], jaw[::-1])
    np.testing.assert_array_equal(mirror[brows], brows[::-1])
    np.testing.assert_array_equal(mirror[nose[:4]], nose[:4])
    np.testing.assert_array_equal(mirror[nose[4:]], nose[4:][::-1])
    right, left = ids[36:42], ids[42:48]
    np.testing.assert_array_equal(mirror[right], left[[3, 2, 1, 0, 5, 4]])
    extra = template.landmarks["fit85"][68:82].reshape(7, 2)
    np.testing.assert_array_equal(mirror[extra[:, 0]], extra[:, 1])


def test_regions(template):
    expected = {"nose", "mouth", "chin", "forehead", "jaw", "contour"}
    expected |= {
        f"{side}_{name}" for side in ("left", "right") for name in ("eye", "brow", "cheek")
    }
    assert set(template.regions) == expected
    x = template.mesh.vertices[:, 0]
    for name, ids in template.regions.items():
        assert len(ids) > 40
        assert (np.diff(ids) > 0).all()
        other = name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        np.testing.assert_array_equal(np.sort(template.mirror[ids]), template.regions[other])
        if name.startswith("left"):
            assert (x[ids] > 0).all()
    assert set(template.landmarks["ibug68"][48:68]) <= set(template.regions["mouth"].tolist())


def test_region_rules_by_hand():
    mesh, mirror = hill(9)
    vertices = mesh.vertices  # a grid of spacing 0.25 over [-1, 1]^2
    corner_ids = np.array([40, 44, 80, 76])  # centre, right middle, right top, top middle
    rules = {
        "quarter": RegionRule(inside=(0, 1, 2, 3), margin_mm=0.01, sides=True),
        "middle": RegionRule(along=(0, 3), margin_mm=0.1),
        "edge": RegionRule(outline_mm=0.01, without=("middle",)),
    }
    regions = find_regions(vertices, mesh.faces, mirror, corner_ids, rules)
    upper = vertices[:, 1] > -0.01
    expected = np.flatnonzero(upper & (vertices[:, 0] > 0))
    np.testing.assert_array_equal(regions["left_quarter"], expected)
    np.testing.assert_array_equal(regions["right_quarter"], np.sort(mirror[expected]))
    np.testing.assert_array_equal(regions["middle"], [40, 49, 58, 67, 76])
    assert len(regions["edge"]) == 31
    with pytest.raises(ConfigError, match='leaves out "nose", which is not defined above'):
        find_regions(vertices, mesh.faces, mirror, corner_ids, {"a": RegionRule(without=("nose",))})


def test_polygon_and_distance_by_hand():
    arrow = np.array([[0.0, 0], [4, 0], [2, 1], [4, 4]])  # not convex
    points = np.array([[1.0, 0.3], [3.5, 1], [3.2, 3], [-1, 0]])
    assert inside_polygon(points, arrow).tolist() == [True, False, True, False]
    line = np.array([[0.0, 0], [2, 0], [2, 2]])
    np.testing.assert_allclose(
        distance_to_line(np.array([[1.0, 1], [3, 3], [-3, 4]]), line), [1, 2**0.5, 5]
    )


def test_unknown_resolution():
    with pytest.raises(InputError, match='resolution is "high", expected one of low, paper'):
        read_recipe("high")


def test_a_wrong_recipe_names_its_file(tmp_path, monkeypatch):
    folder = tmp_path / "anny_low"
    folder.mkdir()
    monkeypatch.setattr(recipes, "templates_folder", lambda: tmp_path)
    with pytest.raises(InputError, match=r"template\.toml: no such file"):
        read_recipe("low")
    (folder / "template.toml").write_text("loop_steps = ")
    with pytest.raises(InputError, match=r"template\.toml: not a readable TOML file"):
        read_recipe("low")
    (folder / "template.toml").write_text("loopsteps = 1")
    with pytest.raises(ConfigError, match=r"template\.toml: recipe: loopsteps is not known"):
        read_recipe("low")
