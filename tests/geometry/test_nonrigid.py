"""Non-rigid ICP: finds known bends, keeps what it should, and says what it could not reach."""

import numpy as np
import pytest
from scipy import sparse

from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.scanner import ScanSettings, scan_face
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.folds import folded_faces
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.nonrigid import (
    FINE,
    NonrigidTemplate,
    Schedule,
    Stage,
)
from meshgan.geometry.nonrigid_steps import FinalSteps, Pull, Sheet
from tests.geometry.shapes import hill

SIZE_MM = 60.0


@pytest.fixture(scope="module")
def bump():
    """A hill of 120 mm with 1,089 vertices, its mirror map, and nine landmarks as rows."""
    mesh, mirror = hill(edge=33)
    vertices = SIZE_MM * mesh.vertices
    ids = np.array([33 * row + column for row in (4, 16, 28) for column in (4, 16, 28)])
    rows = sparse.csr_matrix((np.ones(9), (np.arange(9), ids)), shape=(len(vertices), 9)[::-1])
    return TriMesh(vertices, mesh.faces), mirror, rows


def bent(vertices: np.ndarray) -> np.ndarray:
    """A smooth bend of up to 6 mm."""
    x, y = vertices[:, 0] / SIZE_MM, vertices[:, 1] / SIZE_MM
    return vertices + np.stack([2 * y**2, 2 * x * y, 6 * np.cos(2 * x) * y], axis=1)


def test_finds_a_known_bend(bump):
    mesh, _, rows = bump
    truth = bent(mesh.vertices)
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows)
    fit = template.fit(mesh.vertices, SurfaceIndex(truth, mesh.faces), rows @ truth)
    inner = np.abs(mesh.vertices[:, :2]).max(axis=1) < 0.85 * SIZE_MM
    error = np.linalg.norm(fit.vertices - truth, axis=1)
    assert fit.distance[inner].mean() < 0.02
    assert error[inner].mean() < 0.55 * np.linalg.norm(truth - mesh.vertices, axis=1)[inner].mean()
    assert not len(fit.folded)


def test_no_motion_where_it_lies_already(bump):
    mesh, _, rows = bump
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows)
    fit = template.fit(mesh.vertices, SurfaceIndex(mesh.vertices, mesh.faces), rows @ mesh.vertices)
    np.testing.assert_allclose(fit.vertices, mesh.vertices, atol=1e-6)


def test_moves_with_the_scan(bump):
    """A rigid motion of template and scan together moves the result by the same motion."""
    mesh, _, rows = bump
    truth = bent(mesh.vertices)
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])

    def moved(points):
        return points @ turn.T + np.array([100.0, -50, 20])

    one = template.fit(mesh.vertices, SurfaceIndex(truth, mesh.faces), rows @ truth)
    two = template.fit(
        moved(mesh.vertices), SurfaceIndex(moved(truth), mesh.faces), moved(rows @ truth)
    )
    np.testing.assert_allclose(two.vertices, moved(one.vertices), atol=1e-5)


def test_unknown_landmarks_are_left_out(bump):
    mesh, _, rows = bump
    truth = bent(mesh.vertices)
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows)
    index = SurfaceIndex(truth, mesh.faces)
    marks = rows @ truth
    marks[[0, 4]] = np.nan
    fit = template.fit(mesh.vertices, index, marks)
    kept = np.setdiff1d(np.arange(9), [0, 4])
    only = NonrigidTemplate(mesh.vertices, mesh.faces, rows[kept])
    again = only.fit(mesh.vertices, index, marks[kept])
    assert np.isfinite(fit.vertices).all()
    np.testing.assert_allclose(fit.vertices, again.vertices, atol=0.25)


def test_a_hole_is_bridged_and_said(bump):
    mesh, _, rows = bump
    truth = bent(mesh.vertices)
    centre = mesh.vertices[mesh.faces].mean(axis=1)
    hole = np.linalg.norm(centre[:, :2] - [30, 0], axis=1) < 18
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows)
    fit = template.fit(mesh.vertices, SurfaceIndex(truth, mesh.faces[~hole]), rows @ truth)
    inside = np.linalg.norm(mesh.vertices[:, :2] - [30, 0], axis=1) < 12
    assert not fit.matched[inside].any()
    assert np.linalg.norm(fit.vertices - truth, axis=1)[inside].max() < 1.5


def test_a_missing_half_follows_the_other(bump):
    """With the mirror map, what one side lacks comes from the other side."""
    mesh, mirror, _ = bump
    x, y = mesh.vertices[:, 0] / SIZE_MM, mesh.vertices[:, 1] / SIZE_MM
    truth = mesh.vertices + np.stack(
        [0 * x, 0 * x, 6 * np.exp(-8 * ((np.abs(x) - 0.6) ** 2 + y**2))], axis=1
    )
    left_only = mesh.faces[mesh.vertices[mesh.faces][:, :, 0].max(axis=1) < 5]
    scan = SurfaceIndex(truth, left_only)
    missing = (mesh.vertices[:, 0] > 15) & (np.abs(mesh.vertices[:, :2]).max(axis=1) < 50)
    whole = SurfaceIndex(truth, mesh.faces)
    alone, following = (
        whole.closest(
            NonrigidTemplate(mesh.vertices, mesh.faces, None, mirror=way)
            .fit(mesh.vertices, scan)
            .vertices
        ).distance[missing]
        for way in (None, mirror)
    )
    assert alone.mean() > 1.0
    assert following.mean() < 0.15


def test_warm_start_ends_in_the_same_place(bump):
    mesh, _, rows = bump
    truth = bent(mesh.vertices)
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows)
    index = SurfaceIndex(truth, mesh.faces)
    cold = template.fit(mesh.vertices, index, rows @ truth)
    warm = template.fit(mesh.vertices, index, rows @ truth, warm=cold.vertices)
    assert np.linalg.norm(warm.vertices - cold.vertices, axis=1).mean() < 0.1


def test_folded_faces_by_hand():
    mesh, _ = hill(edge=9)
    assert not len(folded_faces(mesh.vertices, mesh.faces))
    vertices = mesh.vertices.copy()
    vertices[40, :2] += [0.6, 0.0]  # past its neighbour: the triangles beyond turn over
    folded = folded_faces(vertices, mesh.faces)
    area = np.cross(*(vertices[mesh.faces[:, k]] - vertices[mesh.faces[:, 0]] for k in (1, 2)))
    assert set(folded) <= set(np.flatnonzero((mesh.faces == 40).any(axis=1)))
    assert set(np.flatnonzero(area[:, 2] < 0)) <= set(folded)


def test_raw_scan_of_a_default_face():
    """Remeshed, noisy, holed: near the truth, on the surface, no fold beyond the face's own."""
    source = open_source("low")
    template = source.template
    ids = template.landmarks["ibug68"]
    truth = source.neutral(5, 3).astype(np.float64)
    scan = scan_face(
        truth, template.mesh.faces, np.random.default_rng(2), ScanSettings(faces=20_000), ids
    )
    rest = template.mesh.vertices.astype(np.float64)
    rows = sparse.csr_matrix((np.ones(68), (np.arange(68), ids)), shape=(68, len(rest)))
    start = procrustes(rest[ids], scan.landmarks, scale=True).apply(rest)
    prepared = NonrigidTemplate(rest, template.mesh.faces, rows, mirror=template.mirror)
    index = SurfaceIndex(scan.mesh.vertices, scan.mesh.faces)
    fit = prepared.fit(start, index, scan.landmarks)
    to_truth = SurfaceIndex(scan.surface.vertices, scan.surface.faces).closest(fit.vertices)
    before = np.linalg.norm(start - scan.vertices, axis=1).mean()
    after = np.linalg.norm(fit.vertices - scan.vertices, axis=1).mean()
    assert after < 0.6 * before
    assert after < 2.0
    assert to_truth.distance[fit.matched].mean() < 0.15
    assert len(fit.folded) <= len(folded_faces(scan.vertices, template.mesh.faces)) + 20


def test_bad_input(bump):
    mesh, _, rows = bump
    with pytest.raises(ShapeError, match="landmark rows for 9 vertices"):
        NonrigidTemplate(mesh.vertices, mesh.faces, rows.T.tocsr())
    template = NonrigidTemplate(mesh.vertices, mesh.faces, rows, schedule=Schedule(None, FINE))
    index = SurfaceIndex(mesh.vertices, mesh.faces)
    with pytest.raises(ShapeError, match=r"start: 10 vertices, the template has 1,089"):
        template.fit(mesh.vertices[:10], index)
    with pytest.raises(ShapeError, match="4 landmarks, the template has 9"):
        template.fit(mesh.vertices, index, np.zeros((4, 3)))
    with pytest.raises(InputError, match="positive"):
        Stage(0, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0))


# ---- the solver


def test_sheet_solves_what_a_general_solver_does(bump):
    mesh, _, rows = bump
    sheet = Sheet(mesh.vertices, mesh.faces, rows)
    rng = np.random.default_rng(0)
    for _ in range(2):  # the order is found once, values change
        system = 3 * sheet.bending + sparse.diags(rng.uniform(0.1, 1, sheet.count)) + rows.T @ rows
        right = rng.normal(size=(sheet.count, 3))
        expected = sparse.linalg.spsolve(system.tocsc(), right)
        np.testing.assert_allclose(sheet.solve(system, right), expected, rtol=1e-7, atol=1e-9)


def test_folds_are_mended_where_they_are(bump):
    mesh, _, rows = bump
    start = mesh.vertices
    steps = FinalSteps(Sheet(start, mesh.faces, rows), None, start, Pull.towards(rows, None))
    truth = bent(start)
    pulled = truth.copy()
    middle = len(start) // 2
    pulled[middle, :2] += 9.0  # over its neighbours, 3.75 mm apart
    after = steps.step(start, SurfaceIndex(truth, mesh.faces), 1.0, 100.0, 20.0)
    data, wanted, stiffness = steps._last
    weight = sparse.diags(np.where(np.arange(len(start)) == middle, 3.0, 0.0))
    steps._last = ((data + weight).tocsr(), wanted + weight @ (pulled - start), stiffness)
    torn = after.copy()
    torn[middle] = pulled[middle]
    assert len(folded_faces(torn, mesh.faces))
    mended = steps.mend(torn)
    assert not len(folded_faces(mended, mesh.faces))
    moved = np.linalg.norm(mended - torn, axis=1) > 0
    far = (
        np.linalg.norm(start[:, :2] - start[middle, :2], axis=1) > 75
    )  # rings are longer along the diagonal
    assert far.any()
    assert not moved[far].any()
    assert moved[middle]
