"""Slits that stay as open as they should: exact at the stations, nothing far away moves."""

import numpy as np
import pytest

from meshgan.data.slits import find_slits
from meshgan.data.synthetic.source import open_source
from meshgan.editing.closing import REACH_MM, slit_closings


@pytest.fixture(scope="module")
def source():
    return open_source("low")


@pytest.fixture(scope="module")
def closings(source):
    return slit_closings(source.template)


@pytest.fixture(scope="module")
def faces(source):
    """Two people, at rest and with both eyes shut: (person, shown, V, 3)."""
    shut = np.zeros((2, len(source.action_names)))
    for side in ("Left", "Right"):
        shut[1, source.action_names.index(f"eyeBlink{side}")] = 1
    people = [source.express(0, person, shut) for person in (1_300_000, 1_300_002)]
    return np.stack(people).astype(np.float64)


def closed(closings, *faces):
    moved = faces[0]
    for slit in closings:
        moved = slit.keep(moved, *faces[1:])
    return moved


def test_eyes_that_stayed_open_are_shut(source, closings, faces):
    slits = find_slits(source.template)
    target, truth = faces[1, :1], faces[1, 1:]
    source_rest, shown = faces[0, :1], faces[0, 1:]
    additive = target + shown - source_rest
    found = closed(closings, additive, target, shown, source_rest)
    for name in ("left_lids", "right_lids"):
        share = slits[name].gaps(shown) / slits[name].gaps(source_rest)
        wanted = np.clip(share, 0, None) * slits[name].gaps(target)
        np.testing.assert_allclose(slits[name].gaps(found), wanted, atol=0.12)
        assert np.abs(slits[name].gaps(found) - slits[name].gaps(truth)).mean() < 0.3
    before, after = (np.linalg.norm(face - truth, axis=2).mean() for face in (additive, found))
    assert after <= before + 1e-3


def test_only_the_skin_around_a_slit_moves(source, closings, faces):
    left = find_slits(source.template)["left_lids"]
    slit = next(one for one in closings if one.slit.upper[0] == left.upper[0])
    wide = faces[1, :1]
    moved = slit.keep(wide, wide, faces[0, 1:], faces[0, :1]) - wide
    rims = source.template.mesh.vertices[np.concatenate([slit.slit.upper, slit.slit.lower])]
    distance = np.linalg.norm(source.template.mesh.vertices[:, None] - rims, axis=2).min(axis=1)
    assert np.abs(moved[0, distance > REACH_MM]).max() == 0
    assert np.abs(moved[0]).max() > 3
    assert np.abs(moved[..., [0, 2]]).max() == 0


def test_what_opens_is_left_alone(closings, faces):
    open_more, rest = faces[0, :1], faces[0, 1:]  # from shut to open
    result = closed(closings, faces[1, :1], faces[1, 1:], open_more, rest)
    np.testing.assert_allclose(result, faces[1, :1], atol=1e-3)


def test_a_face_like_its_source_is_not_changed(closings, faces):
    same = closed(closings, faces[0, 1:], faces[0, :1], faces[0, 1:], faces[0, :1])
    np.testing.assert_allclose(same, faces[0, 1:], atol=0.15)  # crossing is taken out
