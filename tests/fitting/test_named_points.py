"""find_points and observe_landmarks: names, ids, triangles, units, orders."""

import numpy as np
import pytest
import torch

from meshgan.data.landmark_orders import landmark_order
from meshgan.data.landmarks import LandmarkSet
from meshgan.data.template import Template
from meshgan.errors import InputError, ShapeError
from meshgan.fitting.named_points import find_points
from meshgan.fitting.observations import observe_landmarks, observe_meshes
from meshgan.geometry.mesh import TriMesh
from tests.fakes import face_like_mesh

ORDER = landmark_order("fit85")


@pytest.fixture(scope="module")
def template() -> Template:
    """A template whose fit85 landmarks lie where the order expects them."""
    vertices, faces = face_like_mesh()
    assert ORDER.expected is not None
    vertices = np.concatenate([vertices, ORDER.expected]).astype(np.float32)
    marks = {"fit85": np.arange(85) + len(vertices) - 85}
    return Template("dome", TriMesh(vertices, faces), landmarks=marks)


def test_every_way_to_name_points(template):
    first = int(template.landmarks["fit85"][0])
    whole = find_points("fit85", template)
    assert whole.points.corners[:, 0].tolist() == template.landmarks["fit85"].tolist()
    part = find_points("ibug68", template)
    assert part.measured == 68
    assert part.points.count == 68
    assert part.order == "ibug68"
    mediapipe = find_points("mediapipe478", template)
    assert mediapipe.measured == 478
    pairs = dict(landmark_order("mediapipe478").same_as_fit85.tolist())
    assert [pairs[row] for row in mediapipe.rows.tolist()] == (
        mediapipe.points.corners[:, 0] - first
    ).tolist()
    single = find_points(["ibug68:30", "fit85:84", "bosphorus24:Nose tip"], template)
    assert single.points.corners[:2, 0].tolist() == [first + 30, first + 84]
    assert find_points([3, 1, 2], template).points.corners[:, 0].tolist() == [3, 1, 2]
    assert find_points(torch.tensor([3, 1]), template).points.count == 2
    inside = find_points((np.array([5, 0]), np.array([[0.2, 0.3, 0.5], [1, 0, 0]])), template)
    assert inside.points.corners.tolist() == template.mesh.faces[[5, 0]].tolist()
    marks = LandmarkSet.at_vertices("two", np.array([7, 9]))
    assert find_points(marks, template).points.corners[:, 0].tolist() == [7, 9]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("fit99", "template dome knows fit85, bosphorus22"),
        (["ibug68"], 'expected "SET:NUMBER"'),
        (["bosphorus24:Nose"], "or one of Outer left eyebrow"),
        (["ibug68:68"], "does not know this point of ibug68"),
        (np.array([0.5, 1.0]), "expected vertex ids"),
        ((np.array([2_000]), np.array([[1.0, 0, 0]])), "names face 2,000"),
        ((np.array([1, 2]), np.array([[1.0, 0, 0]])), r"expected \(L,\) whole numbers and"),
    ],
)
def test_refuses_names_that_say_nothing(template, points, message):
    with pytest.raises(InputError, match=message):
        find_points(points, template)


def test_orders_units_and_counts_are_checked(template):
    face = ORDER.expected
    seen = observe_landmarks("fit85", face / 10, template, unit="cm")
    torch.testing.assert_close(seen.targets[0], torch.from_numpy(face).float(), atol=1e-4, rtol=0)
    swapped = face[ORDER.mirror]
    with pytest.raises(InputError, match=r"landmarks \(fit85\): left and right are exchanged"):
        observe_landmarks("fit85", swapped, template)
    with pytest.raises(InputError, match=r"landmarks of face 1 \(fit85\): .* are these m\?"):
        observe_landmarks("fit85", np.stack([face, face / 1000]), template)
    with pytest.raises(ShapeError, match=r"targets \(1, 84, 3\), expected \(85, 3\)"):
        observe_landmarks("fit85", face[:84], template)
    with pytest.raises(InputError, match="unit 'mile' is unknown"):
        observe_landmarks("fit85", face, template, unit="mile")
    with pytest.raises(ShapeError, match="84 weights for 85 points"):
        observe_landmarks("fit85", face, template, np.ones(84))


def test_measured_points_without_a_counterpart_are_left_out(template):
    measured = np.random.default_rng(0).normal(size=(478, 2)) * 100
    seen = observe_landmarks("mediapipe478", measured, template, np.arange(478.0))
    rows = find_points("mediapipe478", template).rows
    torch.testing.assert_close(seen.targets[0], torch.from_numpy(measured[rows]).float())
    assert seen.weights is not None
    assert seen.weights.tolist() == rows.tolist()


def test_meshes_must_have_the_topology(template):
    other = template.mesh.with_vertices(template.mesh.vertices + 1)
    assert observe_meshes([template.mesh, other], template).shape == (2, 661, 3)
    assert observe_meshes(other.vertices, template).shape == (1, 661, 3)
    turned = TriMesh(template.mesh.vertices, template.mesh.faces[:, [1, 2, 0]][::-1])
    with pytest.raises(ShapeError, match=r"in another connectivity.*fit it as a scan"):
        observe_meshes(turned, template)
    small = TriMesh(template.mesh.vertices[:576], template.mesh.faces)
    with pytest.raises(ShapeError, match="mesh 0 has 576 vertices"):
        observe_meshes(small, template)
    with pytest.raises(InputError, match="no mesh given"):
        observe_meshes([], template)
