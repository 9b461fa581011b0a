"""The face prior: symmetric, as varied as the faces it was learnt from, able to make new ones."""

import numpy as np
import pytest

from meshgan.data.synthetic import open_source
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.alignment import align_batch
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.operators import uniform_laplacian
from meshgan.geometry.subdivision import loop_matrix
from meshgan.registration.prior import (
    default_prior,
    principal_modes,
    prior_arrays,
    prior_from_arrays,
)
from meshgan.registration.prior_carry import carry_prior, extended
from tests.geometry.shapes import flat_square


def test_modes_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(40, 6, 3)) * np.linspace(3, 0.1, 18).reshape(6, 3)
    modes = principal_modes(samples, 40).reshape(40, 18)
    rows = samples.reshape(40, 18)
    np.testing.assert_allclose(modes.T @ modes, rows.T @ rows / 40, atol=1e-10)
    np.testing.assert_allclose(
        modes[:18] @ modes[:18].T, np.diag(np.diag(modes[:18] @ modes[:18].T)), atol=1e-8
    )
    with pytest.raises(InputError, match="41 modes of 40 samples"):
        principal_modes(samples, 41)


def test_fits_faces_it_never_saw(prior):
    source = open_source("low")
    faces = np.stack([source.neutral(1, person) for person in range(8)])
    faces = align_batch(faces, prior.mean).astype(np.float64) - prior.mean
    basis = prior.modes.reshape(prior.mode_count, -1).T.astype(np.float64)
    c = np.linalg.lstsq(basis, faces.reshape(8, -1).T, rcond=None)[0]
    left = np.linalg.norm(faces - (basis @ c).T.reshape(faces.shape), axis=2).mean()
    assert left < 0.15 * np.linalg.norm(faces, axis=2).mean()
    identity = c[: prior.identity_count]
    assert 0.6 < np.sqrt((identity[:20] ** 2).mean()) < 1.6  # standard deviations


def test_is_symmetric(prior):
    assert prior.mirror is not None
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(prior.mean[prior.mirror] * flip, prior.mean, atol=1e-3)
    turned = prior.modes[:, prior.mirror] * flip
    for mode, other in zip(prior.modes[:10], turned[:10], strict=True):
        cosine = (mode * other).sum() / (mode**2).sum()
        assert abs(cosine) == pytest.approx(1, abs=0.02)  # each is even or odd


def test_first_expression_start_is_neutral_and_all_differ(prior):
    starts = prior.expression_starts
    assert not starts[0].any()
    assert not starts[:, : prior.identity_count].any()
    mouths = np.stack([prior.face(start)[prior.landmarks[48:]] for start in starts])
    gaps = np.linalg.norm(mouths[:, None] - mouths, axis=-1).mean(axis=-1)
    assert gaps[~np.eye(len(starts), dtype=bool)].min() > 2.0


def test_coarse_prior_is_the_same_on_fewer_vertices(prior):
    coarse = prior.coarse_prior()
    c = np.random.default_rng(0).normal(size=prior.mode_count)
    np.testing.assert_array_equal(coarse.face(c), prior.face(c)[prior.coarse.kept])
    np.testing.assert_array_equal(coarse.mean[coarse.landmarks], prior.mean[prior.landmarks])


def test_arrays_and_back(prior):
    again = prior_from_arrays(prior.name, prior_arrays(prior))
    np.testing.assert_array_equal(again.modes, prior.modes)
    np.testing.assert_array_equal(again.coarse.faces, prior.coarse.faces)
    assert default_prior() is default_prior()


def test_extension_keeps_constants_and_known_values():
    mesh = flat_square(15)
    known = mesh.vertices[:, 0] < 0.5
    constant = np.broadcast_to([1.0, -2.0, 0.5], (2, mesh.vertex_count, 3))
    np.testing.assert_allclose(extended(constant, known, mesh.faces), constant, atol=1e-5)
    ramp = mesh.vertices[None] * 1.0
    grown = extended(ramp, known, mesh.faces)
    assert np.abs(grown - ramp)[:, mesh.vertices[:, 0] < 0.35].max() < 0.01
    inner = uniform_laplacian(mesh.vertex_count, mesh.faces) @ grown[0]
    assert np.abs(inner[~known]).max() < 1e-6  # harmonic where nothing is known


def test_carries_to_another_topology(prior, tmp_path, monkeypatch):
    monkeypatch.setenv("MESHGAN_CACHE", str(tmp_path))
    matrix, faces = loop_matrix(prior.coarse_prior().vertex_count, prior.coarse.faces)
    shape = prior.coarse_prior().mean.astype(np.float64)
    mesh = TriMesh(matrix @ shape, faces)
    carried = carry_prior(prior, Template("loop", mesh))
    c = np.zeros(prior.mode_count)
    c[0] = 2.0
    expected = matrix @ (prior.face(c)[prior.coarse.kept] - shape)
    found = carried.face(c) - carried.mean
    error = np.linalg.norm(found - expected, axis=1).mean()
    assert error < 0.1 * np.linalg.norm(expected, axis=1).mean()
    marks = matrix @ shape
    off = np.linalg.norm(marks[carried.landmarks] - prior.mean[prior.landmarks], axis=1)
    assert off.mean() < 3.0
    assert carry_prior(prior, Template("same", TriMesh(prior.mean, prior.faces))) is prior
