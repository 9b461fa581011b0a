"""Stage: where faces stand, which colours they have, and what can be shown."""

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.pictures.render import viridis
from meshgan.pictures.shading import CHART, STUDIO, light_surface, to_linear, to_srgb
from meshgan.pictures.vertex_colours import VertexPainter, round_scale
from meshgan.viewer.actions import actions_of
from meshgan.viewer.stage import FRONT
from tests.geometry import shapes
from tests.viewer.faces import additive_scene


def torch_of(values):
    import torch

    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def test_faces_stand_side_by_side_and_inside_the_box():
    scene = additive_scene()
    scene.show_both(True)
    left, right = scene.surfaces()
    assert right.vertices[:, 0].min() > left.vertices[:, 0].max()
    middle = (left.vertices + right.vertices)[:, 0].mean() / 2
    assert middle == pytest.approx(scene.template.mesh.vertices[:, 0].mean(), abs=1e-3)
    low, high = scene.bounds()
    for surface in (left, right):
        assert (surface.vertices >= low - 1e-3).all()
        assert (surface.vertices <= high + 1e-3).all()


def test_distance_colours_are_those_of_the_legend():
    """A face that is 3 mm away everywhere has one albedo: viridis at 3 of the scale's end."""
    mesh = shapes.torus(30, 20)
    painter = VertexPainter(mesh.faces, mesh.vertex_count)
    normals = painter.normals(mesh.vertices.astype(np.float32))
    found = painter.distances(np.full(mesh.vertex_count, 3.0), 5.0, normals, FRONT)
    albedo = to_linear(torch_of(viridis(np.full(mesh.vertex_count, 0.6))))
    expected = to_srgb(light_surface(torch_of(normals), albedo, CHART).clamp(0, 1)).numpy()
    np.testing.assert_allclose(found, expected, atol=4e-3)


def test_skin_is_lit_from_beside_the_camera():
    mesh = shapes.torus(40, 30)
    painter = VertexPainter(mesh.faces, mesh.vertex_count, np.full((mesh.vertex_count, 3), 0.6))
    vertices = mesh.vertices.astype(np.float32)
    normals = painter.normals(vertices)
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=np.float32)
    seen = painter.skin(vertices, normals, turn)
    turned = painter.skin(vertices @ turn.T, normals @ turn.T, FRONT)
    np.testing.assert_allclose(seen, turned, atol=1e-5)
    albedo = to_linear(torch_of(np.full((mesh.vertex_count, 3), 0.6)))
    open_skin = to_srgb(light_surface(torch_of(normals), albedo, STUDIO).clamp(0, 1)).numpy()
    assert (painter.skin(vertices, normals, FRONT) <= open_skin + 1e-6).all()  # creases darken


def test_a_crease_is_darker_than_open_skin():
    x, y = np.meshgrid(np.linspace(-20, 20, 21), np.linspace(-20, 20, 21))
    flat = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)
    valley = flat.copy()
    valley[:, 2] = 1.5 * np.abs(flat[:, 0])  # its bottom runs along x = 0
    corner = (np.arange(20)[:, None] * 21 + np.arange(20)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 22], axis=1),
            np.stack([corner, corner + 22, corner + 21], axis=1),
        ]
    )
    painter = VertexPainter(faces, 441)
    up = np.tile(np.float32([0, 0, 1]), (441, 1))
    shade = painter._openness(valley.astype(np.float32), up).numpy().reshape(21, 21)
    assert shade[10, 10] < 0.6
    assert shade[10, 4] == pytest.approx(1)


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (0.0, 1),
        (1.0, 1),
        (1.2, 2),
        (4.9, 5),
        (5.0, 5),
        (7.0, 10),
        (10.0, 10),
        (11.0, 20),
        (230.0, 500),
    ],
)
def test_scales_end_in_round_numbers(largest, expected):
    assert round_scale(largest) == expected


def test_the_scale_holds_nearly_all_of_the_face():
    scene = additive_scene()
    scene.randomise()
    scene.show(colour_by="mean")
    scene.surfaces()
    moved = np.linalg.norm(scene.current()[0] - scene.reference(0), axis=1)
    assert np.quantile(moved, 0.99) <= scene.largest_mm <= max(1.0, 2.6 * moved.max())


def test_landmarks_stand_a_little_in_front():
    scene = additive_scene()
    scene.show(landmarks="corners")
    (surface,) = scene.surfaces()
    ids = scene.template.landmarks["corners"]
    lifted = surface.landmarks - surface.vertices[ids]
    np.testing.assert_allclose(lifted, 0.6 * surface.normals[ids], atol=1e-4)


def test_refuses_what_is_not_there():
    scene = additive_scene()
    with pytest.raises(InputError, match="the template has corners"):
        scene.show(landmarks="bu83")
    with pytest.raises(InputError, match="skin, neutral, mean"):
        scene.show(colour_by="beauty")
    assert scene.display.landmarks == ""


def test_every_key_does_something_and_none_twice():
    scene = additive_scene()
    actions = actions_of(scene)
    assert set("R0ZYBXEITWCL") == actions.keys()
    for key in "REITBXWCL":
        before = (scene.pair, scene.display)
        actions[key].run()
        assert (scene.pair, scene.display) != before, key
    before = scene.pair
    actions["Z"].run()
    actions["Y"].run()
    assert scene.pair is before
    actions["L"].run()
    assert scene.display.landmarks == ""
