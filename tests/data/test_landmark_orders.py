"""Orders: consistent tables, and one answer to which points of two orders are the same."""

from itertools import combinations

import numpy as np
import pytest

from meshgan.data.landmark_orders import (
    common_points,
    landmark_order,
    match_sets,
    order_names,
)
from meshgan.data.synthetic import open_source
from meshgan.errors import InputError

NAMES = order_names()
MEASURED = ("ibug68", "fit85", "bu83", "bosphorus22", "bosphorus24")


@pytest.fixture(scope="module")
def template():
    return open_source("low").template


def test_the_orders_in_use_are_known():
    assert set(MEASURED) | {"mediapipe468", "mediapipe478"} == set(NAMES)
    counts = {name: landmark_order(name).count for name in NAMES}
    assert all(name.endswith(str(count)) for name, count in counts.items())


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_consistent(name):
    order = landmark_order(name)
    pairs = order.same_as_fit85
    assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)
    assert pairs.min() >= 0
    assert pairs[:, 0].max() < order.count
    assert pairs[:, 1].max() < 85
    assert len(order.labels) in (0, order.count)
    for chain in order.chains:
        assert len(set(chain.places)) == len(chain.places) > 2
        assert max(chain.places) < order.count
    places = [place for chain in order.chains for place in chain.places]
    assert len(set(places)) == len(places) or name.startswith("bosphorus")


@pytest.mark.parametrize("name", MEASURED)
def test_expected_places_are_the_templates(name, template):
    """Fails when the template changes and tools/make_landmark_expectations.py was not run."""
    set_name = {"bosphorus24": "bosphorus22"}.get(name, name)
    points = template.mesh.vertices[template.landmarks[set_name]]
    order = landmark_order(name)
    np.testing.assert_allclose(order.expected[: len(points)], points, atol=0.06)
    assert (order.spread > 1).all()
    assert (order.spread < 10).all()


@pytest.mark.parametrize("name", MEASURED)
def test_mirror_exchanges_left_and_right(name):
    order = landmark_order(name)
    mirror = order.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(order.count))
    sides = order.expected[:, 0] + order.expected[mirror, 0]
    np.testing.assert_allclose(sides, 0, atol=1e-9)
    for place, label in enumerate(order.labels):
        if "left" in label.lower():
            other = label.replace("left", "right").replace("Left", "Right")
            assert order.labels[mirror[place]] == other
            assert order.expected[place, 0] > 0  # the subject's left
    assert mirror[0] == {"ibug68": 16, "fit85": 16, "bu83": 12}.get(name, 5)


def test_mirror_of_an_unknown_order():
    with pytest.raises(InputError, match="mediapipe468: the left-right partners are not known"):
        _ = landmark_order("mediapipe468").mirror


@pytest.mark.parametrize(("first", "second"), list(combinations(NAMES, 2)))
def test_common_points_are_mutual(first, second):
    a, b = common_points(first, second)
    back_b, back_a = common_points(second, first)
    assert set(zip(a.tolist(), b.tolist(), strict=True)) == set(
        zip(back_a.tolist(), back_b.tolist(), strict=True)
    )
    assert len(a) >= 14  # all share corners of eyes and mouth, brows, chin
    assert (np.diff(a) > 0).all()


@pytest.mark.parametrize("name", [name for name in MEASURED if name != "bosphorus24"])
def test_common_points_lie_together_on_the_template(name, template):
    mine, theirs = common_points(name, "fit85")
    np.testing.assert_array_equal(
        template.landmarks[name][mine], template.landmarks["fit85"][theirs]
    )


def test_common_points_by_hand():
    def pairs(first, second):
        return set(zip(*(side.tolist() for side in common_points(first, second)), strict=True))

    assert pairs("ibug68", "fit85") == {(k, k) for k in range(68)}
    assert {(0, 36), (12, 45), (48, 48), (75, 8)} <= pairs("bu83", "ibug68")
    assert {(6, 45), (9, 36), (13, 30), (15, 54)} <= pairs("bosphorus24", "ibug68")
    assert {(33, 36), (263, 45), (4, 30), (61, 48), (152, 8)} <= pairs("mediapipe468", "ibug68")
    assert len(pairs("mediapipe478", "ibug68")) == 68
    assert {(473, 68), (468, 69)} <= pairs("mediapipe478", "fit85")  # pupils: left, right
    assert pairs("mediapipe478", "mediapipe468") == {(k, k) for k in range(468)}


def test_mediapipe_pairs_are_symmetric():
    """MediaPipe has no formula for partners; these are its own, from its symmetric model."""
    mirror = {33: 263, 133: 362, 160: 387, 158: 385, 153: 380, 144: 373, 61: 291, 40: 270}
    mirror |= {70: 300, 107: 336, 127: 356, 58: 288, 150: 379, 98: 327, 78: 308, 81: 311}
    place = dict(landmark_order("mediapipe468").same_as_fit85.tolist())
    ibug = landmark_order("ibug68").mirror
    for right, left in mirror.items():
        assert ibug[place[right]] == place[left]


def test_match_sets_takes_the_best(template):
    places, vertices = match_sets("bu83", template.landmarks)
    np.testing.assert_array_equal(places, np.arange(83))
    np.testing.assert_array_equal(vertices, template.landmarks["bu83"])
    only68 = {"ibug68": template.landmarks["ibug68"], "own": np.arange(200)}
    places, vertices = match_sets("bu83", only68)
    assert len(places) == 31
    np.testing.assert_array_equal(vertices, template.landmarks["bu83"][places])
    assert len(match_sets("bosphorus24", template.landmarks)[0]) == 22
    assert len(match_sets("mediapipe478", template.landmarks)[0]) == 70
    with pytest.raises(InputError, match=r"bu83: none of them is in the template's sets \(own\)"):
        match_sets("bu83", {"own": np.arange(3)})


def test_unknown_order():
    with pytest.raises(InputError, match="'ibug67': there is no such order; known: bosphorus22"):
        landmark_order("ibug67")
