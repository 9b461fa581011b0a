"""prepare_scan: cleans what can be used, and says in a word why the rest cannot."""

import numpy as np
import pytest

from meshgan.apps.benchmarks.registration_clutter import ellipsoid
from meshgan.errors import InputError, ShapeError
from meshgan.registration.scan import INSIDE_OUT, prepare_scan


@pytest.fixture(scope="module")
def ball():
    """A ball, 100 mm in radius, open at two tiny poles: outward normals are its directions."""
    return ellipsoid(np.zeros(3), np.zeros(3), [100.0, 100.0, 100.0], rows=24)


def assert_is_the_ball(scan, tolerance=1e-9):
    assert scan.status == "ok"
    np.testing.assert_allclose(np.linalg.norm(scan.vertices, axis=1), 100, atol=tolerance)
    assert ((scan.normals * scan.vertices).sum(axis=1) > 90).all()


def test_a_clean_scan_stays_as_it_is(ball):
    scan = prepare_scan(*ball)
    np.testing.assert_array_equal(scan.vertices, ball[0])
    np.testing.assert_array_equal(scan.faces, ball[1])
    assert scan.notes == ()
    assert_is_the_ball(scan)


@pytest.mark.parametrize(("unit", "factor"), [("m", 1e-3), ("cm", 0.1), ("um", 1e3)])
def test_finds_the_unit_and_says_so(ball, unit, factor):
    factor = factor / 2 if unit == "cm" else factor  # 200 mm in cm could be a small thing in mm
    scan = prepare_scan(ball[0] * factor, ball[1])
    assert scan.unit == unit
    assert scan.mm_per_unit * factor == pytest.approx(0.5 if unit == "cm" else 1)
    assert any(unit in note for note in scan.notes)


def test_a_wrong_unit_gives_way(ball):
    scan = prepare_scan(ball[0] / 1000, ball[1], unit="mm")
    assert_is_the_ball(scan, 1e-6)
    assert "its unit is m, not mm" in scan.notes[0]


def test_turns_what_faces_inwards(ball):
    scan = prepare_scan(ball[0], ball[1][:, ::-1])
    assert_is_the_ball(scan)
    assert scan.notes == (INSIDE_OUT,)


def test_turns_single_triangles(ball):
    faces = ball[1].copy()
    some = np.random.default_rng(0).random(len(faces)) < 0.3
    faces[some] = faces[some][:, ::-1]
    scan = prepare_scan(ball[0], faces)
    assert_is_the_ball(scan)
    assert f"{int(some.sum()):,} triangles faced another way" in scan.notes[0]


def test_drops_vertices_that_are_not_finite(ball):
    points = ball[0].copy()
    points[::50] = np.nan
    gone = len(points[::50])
    scan = prepare_scan(points, ball[1])
    assert_is_the_ball(scan)
    assert scan.notes[0].startswith(f"{gone:,} of {len(points):,} vertices were not finite")
    np.testing.assert_array_equal(ball[0][scan.source_ids], scan.vertices)
    assert scan.on_boundary.any()


def test_joins_a_soup_of_triangles(ball):
    corners = ball[0][ball[1]].reshape(-1, 3)
    scan = prepare_scan(corners, np.arange(len(corners)).reshape(-1, 3))
    assert len(scan.vertices) == len(ball[0])
    assert scan.on_boundary.sum() == 2 * 48
    assert_is_the_ball(scan)


def test_drops_empty_and_doubled_triangles_and_fragments(ball):
    points = np.concatenate([ball[0], [[300.0, 0, 0], [301, 0, 0], [300, 1, 0]]])
    count = len(ball[0])
    extra = [[0, 0, 1], ball[1][5], [count, count + 1, count + 2]]
    scan = prepare_scan(points, np.concatenate([ball[1], extra]))
    np.testing.assert_array_equal(scan.faces, ball[1])
    assert len(scan.notes) == 3


def test_makes_a_surface_for_points(ball):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(6000, 3))
    points = 100 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    scan = prepare_scan(points)
    assert scan.status == "ok"
    assert ((scan.normals * scan.vertices).sum(axis=1) > 80).mean() > 0.99
    probes = np.random.default_rng(1).normal(size=(500, 3))
    probes *= 100 / np.linalg.norm(probes, axis=1, keepdims=True)
    assert np.percentile(scan.index.closest(probes).distance, 95) < 1.5


@pytest.mark.parametrize(
    ("points", "faces", "status"),
    [
        (np.zeros((2, 3)), None, "too_small"),
        (np.full((500, 3), np.nan), None, "empty"),
        (np.zeros((0, 3)), None, "empty"),
        (np.outer(np.linspace(0, 300, 500), [1.0, 1.0, 1.0]), None, "flat"),
        (np.random.default_rng(0).normal(size=(500, 3)) * 60, np.zeros((9, 3), int), "too_small"),
        (np.random.default_rng(0).normal(size=(500, 3)) * 1e-7, None, "unit_unknown"),
    ],
)
def test_says_why_a_scan_is_of_no_use(points, faces, status):
    scan = prepare_scan(points, faces)
    assert scan.status == status
    assert scan.notes[-1]
    assert len(scan.vertices) == 0


def test_survives_a_random_soup():
    rng = np.random.default_rng(0)
    scan = prepare_scan(rng.normal(size=(3000, 3)) * 60, rng.integers(0, 3000, (5000, 3)))
    assert scan.status == "ok"
    assert np.isfinite(scan.normals).all()


def test_refuses_what_is_a_mistake_of_the_caller(ball):
    with pytest.raises(InputError, match='unit "furlong"'):
        prepare_scan(*ball, unit="furlong")
    with pytest.raises(InputError, match="a face names vertex"):
        prepare_scan(ball[0], np.array([[0, 1, len(ball[0])]]))
    with pytest.raises(ShapeError, match="triangles beside a mesh"):
        prepare_scan(prepare_scan(*ball).mesh, ball[1])
