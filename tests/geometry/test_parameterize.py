"""The map to the square: bijective or refused, symmetric, exact where theory says so."""

import logging
from pathlib import Path

import igl
import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.geometry.distortion import flipped_triangles
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.parameterize import parameterize
from meshgan.geometry.square import square_boundary, square_corners
from meshgan.geometry.topology import boundary_loops
from tests.geometry import shapes

FACE = Path(__file__).parents[2].parent / "shared" / "data" / "ict_face_subset.npz"


def crumpled(seed: int = 0) -> TriMesh:
    """A sheet so rough that cotangent weights flip triangles."""
    mesh = shapes.flat_square(15, shake=0.45, seed=seed)
    lift = np.random.default_rng(seed).normal(0, 0.15, mesh.vertex_count)
    return mesh.with_vertices(mesh.vertices + lift[:, None] * [0, 0, 1])


@pytest.mark.parametrize("method", ["harmonic", "mean_value"])
def test_a_flat_square_maps_to_itself(method):
    mesh = shapes.flat_square(9, shake=0.3)
    found = parameterize(TriMesh(100 * mesh.vertices - 50, mesh.faces), method)
    np.testing.assert_allclose(found.uv, mesh.uv, atol=1e-12)
    assert found.report.angle_distortion.maximum == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("method", ["harmonic", "slim", "mean_value", "uniform"])
def test_nothing_flips_and_every_pixel_is_covered(method):
    mesh = crumpled()
    found = parameterize(mesh, method, size_px=32)
    assert len(igl.flipped_triangles(found.uv, mesh.faces)) == 0
    assert (found.report.flipped, found.report.covered_fraction) == (0, 1.0)
    (loop,) = boundary_loops(mesh.faces)
    on_border = np.isclose(found.uv[loop], 0, atol=0) | np.isclose(found.uv[loop], 1, atol=0)
    assert on_border.any(axis=1).all()
    inner = np.delete(found.uv, loop, axis=0)
    assert ((inner > 0) & (inner < 1)).all()


def test_flips_of_the_cotangent_are_told_with_numbers(caplog):
    mesh = crumpled()
    with caplog.at_level(logging.WARNING):
        report = parameterize(mesh, "harmonic").report
    (loop,) = boundary_loops(mesh.faces)
    outline, fixed = square_boundary(mesh.vertices, loop, square_corners(mesh.vertices, loop))
    raw = igl.harmonic(mesh.vertices, mesh.faces, outline, fixed, 1)
    flips = len(igl.flipped_triangles(raw, mesh.faces))
    assert flips > 0
    assert report.flipped_under["cotangent"] == flips
    assert report.weights != "cotangent"
    assert f"{flips} of {mesh.face_count} triangles flip under cotangent weights" in caplog.text


def test_cotangent_is_used_when_it_does_not_flip():
    mesh, _ = shapes.hill()
    assert parameterize(mesh, "harmonic").report.weights == "cotangent"


def test_slim_squeezes_less():
    mesh, _ = shapes.hill(17, height=3)
    harmonic, slim = (parameterize(mesh, method).report for method in ("harmonic", "slim"))
    assert slim.weights == "slim from intrinsic_delaunay"
    assert slim.area_distortion.p95 < 0.7 * harmonic.area_distortion.p95
    assert slim.round_trip_mean_mm < harmonic.round_trip_mean_mm


@pytest.mark.parametrize("method", ["harmonic", "slim"])
def test_symmetric(method):
    mesh, mirror = shapes.hill(9, height=1)
    found = parameterize(mesh, method, mirror)
    np.testing.assert_allclose(found.uv[mirror, 0], 1 - found.uv[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.uv[mirror, 1], found.uv[:, 1], atol=1e-12)
    assert found.report.asymmetry < 1e-12
    assert found.report.flipped == 0
    left = mesh.vertices[:, 0] < -0.01
    assert (found.uv[left, 0] < 0.5).all()


def test_symmetric_even_if_the_triangles_are_not():
    mesh = shapes.flat_square(9)
    mirror = np.arange(81).reshape(9, 9)[:, ::-1].ravel()
    bent = mesh.with_vertices(mesh.vertices + (mesh.vertices[:, :1] - 0.5) ** 2 * [0.0, 0, 2])
    assert np.abs(parameterize(bent, "uniform").uv[mirror] + [-1, 0]).max() > 0
    assert parameterize(bent, "uniform", mirror).report.asymmetry < 1e-12


def test_symmetry_gives_way_to_flips(caplog):
    mesh, mirror = shapes.hill(9)
    inner = mirror.reshape(9, 9)[1:-1, 1:-1]
    inner[:] = inner[::-1].copy()  # partners in the wrong row: still an involution
    found = parameterize(mesh, "harmonic", mirror)
    assert "would flip in an exactly symmetric map" in caplog.text
    assert found.report.flipped == 0
    assert found.report.asymmetry > 0.1


def test_outline_by_arc_length():
    # a rectangle 4 x 1 whose lower side is cut at 1 and 3
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [4, 0, 0], [4, 1, 0], [0, 1, 0]])
    outline, uv = square_boundary(vertices, np.arange(6), np.array([0, 3, 4, 5]))
    assert outline.tolist() == [0, 1, 2, 3, 4, 5]
    assert uv.tolist() == [[0, 0], [0.25, 0], [0.75, 0], [1, 0], [1, 1], [0, 1]]
    assert square_corners(vertices, np.array([4, 5, 0, 1, 2, 3])).tolist() == [0, 3, 4, 5]


def test_an_outline_seen_from_behind_is_cut_in_four(caplog):
    mesh = shapes.flat_square(9)
    turned = TriMesh(mesh.vertices, np.ascontiguousarray(mesh.faces[:, ::-1]))
    found = parameterize(turned)
    assert "cut in four lengths" in caplog.text
    assert found.report.flipped == 0
    assert found.report.covered_fraction == 1


def two_pieces() -> TriMesh:
    one = shapes.flat_square(3)
    return TriMesh(np.tile(one.vertices, (2, 1)), np.concatenate([one.faces, one.faces + 9]))


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        (shapes.torus(), "1 piece, 0 boundary loops, 1 handle;"),
        (shapes.tetrahedron(), "0 boundary loops, 0 handles; expected"),
        (two_pieces(), "2 pieces, 2 boundary loops"),
        (two_pieces(), "the pieces have 9, 9 vertices; keep one of them with --area largest_piece"),
        (TriMesh(np.eye(5, 3), np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])), "more than two faces"),
        (TriMesh(np.eye(5, 3), np.array([[0, 1, 2], [0, 3, 4]])), "separate fans"),
        (TriMesh(np.eye(4, 3), np.array([[0, 1, 2], [0, 3, 2]])), "opposite orientation"),
    ],
    ids=["torus", "closed", "pieces", "advice", "edge", "vertex", "orientation"],
)
def test_refuses_what_is_no_disk(mesh, words):
    with pytest.raises(InputError, match="no disk") as caught:
        parameterize(mesh)
    assert words in str(caught.value)


def test_refuses_a_triangle_on_one_side():
    # an ear: vertices 9, 1, 2 of the lower side form a triangle of their own
    mesh = shapes.flat_square(3)
    vertices = np.concatenate([mesh.vertices, [[0.5, -0.2, 0]]])
    eared = TriMesh(vertices, np.concatenate([mesh.faces, [[0, 9, 1]]]))
    corners = np.array([0, 2, 8, 6])
    with pytest.raises(InputError, match=r"1 faces have all corners on one side .*\[8\]"):
        parameterize(eared, corners=corners)


def test_triangles_without_area_do_not_stop_it(caplog):
    mesh = shapes.flat_square(5)
    vertices = mesh.vertices.copy()
    vertices[12] = vertices[13]  # an inner vertex on top of its neighbour
    for method in ("harmonic", "slim"):
        found = parameterize(TriMesh(vertices, mesh.faces), method)
        assert found.report.flipped == 0
    assert "2 of 32 triangles have no area" in caplog.text


def test_refuses_wrong_corners_and_mirrors(caplog):
    mesh, mirror = shapes.hill(5)
    with pytest.raises(InputError, match="not four vertices of the outline"):
        parameterize(mesh, corners=np.array([0, 20, 24, 4]))  # the wrong way round
    with pytest.raises(InputError, match="not four vertices of the outline"):
        parameterize(mesh, corners=np.array([0, 12, 24, 20]))  # 12 is inside
    with pytest.raises(InputError, match="not mirror pairs"):
        parameterize(mesh, mirror=mirror, corners=np.array([0, 3, 24, 20]))
    with pytest.raises(InputError, match="24 entries"):
        parameterize(mesh, mirror=mirror[:24])
    with pytest.raises(InputError, match="does not return 25 vertices"):
        parameterize(mesh, mirror=np.roll(np.arange(25), 1))
    swapped = np.arange(25)
    swapped[[2, 12]] = 12, 2
    assert parameterize(mesh, mirror=swapped).report.asymmetry > 0.1
    assert "takes 1 of 16 outline vertices off the outline" in caplog.text
    with pytest.raises(InputError, match='method is "lscm"'):
        shapes.unchecked(parameterize)(mesh, "lscm")


@pytest.fixture(scope="module")
def holed():
    """A symmetric bump with two eyes and a mouth cut out, and its mirror map."""
    return shapes.holed_hill()


@pytest.mark.parametrize("method", ["harmonic", "slim", "mean_value", "uniform"])
def test_holes_stay_holes(method, holed):
    mesh, mirror = holed
    found = parameterize(mesh, method, mirror, size_px=48)
    assert found.uv.shape == (mesh.vertex_count, 2)
    assert len(igl.flipped_triangles(found.uv, mesh.faces)) == 0
    report = found.report
    assert (report.holes, report.covered_fraction, report.flipped) == (3, 1.0, 0)
    assert report.asymmetry < 1e-12
    flat = np.pad(found.uv, ((0, 0), (0, 1)))
    surface = igl.doublearea(flat, mesh.faces).sum() / 2
    # what the triangles leave of the square is what the pixels in holes say, to a pixel's width
    assert report.hole_fraction == pytest.approx(1 - surface, abs=0.02)
    assert report.hole_fraction > 0.01


def test_the_longest_outline_is_the_outer_one():
    """A ring whose inner circle has more vertices than the outer one."""
    ring = shapes.annulus(12)
    uneven = shapes.subdivided_inner(ring, 12)
    found = parameterize(uneven, "harmonic", size_px=32)
    outer = np.arange(12, 24)
    on_border = np.isclose(found.uv[outer], 0) | np.isclose(found.uv[outer], 1)
    assert on_border.any(axis=1).all()
    assert found.report.holes == 1


def test_symmetry_gives_way_to_outlines_that_are_not(holed, caplog):
    mesh, mirror = holed
    wrong = mirror.copy()
    loops = boundary_loops(mesh.faces)
    free = np.setdiff1d(np.arange(mesh.vertex_count), np.concatenate(loops))
    pair = loops[-1][0], next(vertex for vertex in free if mirror[vertex] != vertex)
    for first, second in (pair, mirror[list(pair)]):  # an eye's rim for skin, on both sides
        wrong[[first, mirror[first], second, mirror[second]]] = (
            *(mirror[second], second),
            *(mirror[first], first),
        )
        break
    assert (wrong[wrong] == np.arange(len(wrong))).all()
    found = parameterize(mesh, mirror=wrong)
    assert "0 of 64 outline vertices off the outline and 2 of 3 holes" in caplog.text
    assert (found.report.flipped, found.report.covered_fraction) == (0, 1.0)
    assert found.report.asymmetry > 0.01


@pytest.mark.skipif(not FACE.exists(), reason="needs the ICT face data beside the repository")
@pytest.mark.parametrize(("area", "outline", "p99_mm"), [("narrow", 138, 2.5), ("face", 204, 3.5)])
def test_a_real_face_with_its_holes(area, outline, p99_mm):
    data = np.load(FACE)
    count = int(data["n_narrow"]) if area == "narrow" else len(data["neutral"])
    vertices, mirror = data["neutral"][:count].astype(float), data["mirror"][:count]
    faces = data["faces"].astype(np.int64)
    faces = faces[(faces < count).all(axis=1)]
    mesh = TriMesh(vertices, faces)
    assert [len(loop) for loop in boundary_loops(faces)] == [outline, 74, 42, 42]
    for method in ("harmonic", "slim"):
        found = parameterize(mesh, method, mirror.astype(np.int64))
        report = found.report
        assert not flipped_triangles(found.uv, faces).any()
        assert (report.holes, report.covered_fraction) == (3, 1.0)
        assert report.asymmetry < 1e-12
        if method == "harmonic":
            assert report.flipped_under == {"cotangent": 56}
    assert report.round_trip_p99_mm < p99_mm  # of SLIM, which squeezes no region
    assert report.area_distortion.maximum < 6
