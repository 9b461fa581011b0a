"""Morph tracks: give every frame back, with few targets, the named ones first."""

import numpy as np
import pytest

from meshgan.editing.morph_tracks import morph_tracks
from meshgan.errors import ShapeError


def shown(tracks):
    moves = np.stack(list(tracks.targets.values()))
    return tracks.rest + np.einsum("tk,kvc->tvc", tracks.weights, moves)


@pytest.fixture(scope="module")
def film():
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(40, 3))
    moves = rng.normal(size=(3, 40, 3))
    weights = rng.normal(size=(12, 3))
    return rest, moves, weights, rest + np.einsum("tk,kvc->tvc", weights, moves)


def test_finds_as_many_targets_as_there_are(film):
    rest, _, _, frames = film
    tracks = morph_tracks(frames, rest)
    assert list(tracks.targets) == ["detail_1", "detail_2", "detail_3"]
    np.testing.assert_allclose(shown(tracks), frames, atol=1e-9)
    np.testing.assert_allclose(np.abs(tracks.weights).max(axis=0), 1)
    assert tracks.error_mm < 1e-9


def test_named_targets_come_first_and_the_rest_is_found(film):
    rest, moves, weights, frames = film
    named = {"smile": moves[0], "blink": moves[1]}
    tracks = morph_tracks(frames, rest, named, weights[:, :2])
    assert list(tracks.targets) == ["smile", "blink", "detail_1"]
    np.testing.assert_allclose(tracks.weights[:, :2], weights[:, :2])
    np.testing.assert_allclose(shown(tracks), frames, atol=1e-9)


def test_the_tolerance_bounds_every_vertex(film):
    rest, _, _, frames = film
    noisy = frames + 1e-3 * np.random.default_rng(1).normal(size=frames.shape)
    tracks = morph_tracks(noisy, rest, tolerance_mm=0.01)
    assert len(tracks.targets) == 3
    off = np.linalg.norm(shown(tracks) - noisy, axis=2).max()
    assert off == pytest.approx(tracks.error_mm)
    assert off < 0.01


def test_a_still_needs_no_target(film):
    rest = film[0]
    assert morph_tracks(np.stack([rest] * 4), rest).targets == {}


def test_refuses_weights_of_other_targets(film):
    rest, moves, weights, frames = film
    with pytest.raises(ShapeError, match=r"weights \(12, 3\) of 1 targets"):
        morph_tracks(frames, rest, {"smile": moves[0]}, weights)
