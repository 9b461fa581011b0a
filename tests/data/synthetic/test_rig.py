"""The rig's terms: each does what it is for, nothing else, and can be left out."""

from dataclasses import fields, replace

import numpy as np
import pytest

from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.contact import Contact
from meshgan.data.synthetic.rig import FaceRig, Terms
from meshgan.geometry.skin import apply_rows

PRESSED = {"mouthPress*": 1.0, "mouthRollUpper": 1.0, "mouthRollLower": 1.0, "mouthShrugLower": 1.0}
OPEN = {"jawOpen": 1.0}
BLINK = {"eyeBlink*": 1.0}
SMILE = {"mouthSmile*": 0.8, "cheekSquint*": 0.8}


@pytest.fixture(scope="module")
def pose(expressions):
    """Poses a person: (rig, neutral, recipe, ...) -> control meshes (b, C, 3)."""

    def pose_person(rig, neutral, *recipes):
        actions = np.stack([expressions.weights(recipe) for recipe in recipes])
        return rig.person(neutral).pose(actions)

    return pose_person


@pytest.fixture(scope="module")
def people(population):
    return [population.neutral(population.person(7, index)) for index in range(12)]


def test_at_rest_a_person_is_the_neutral(rig, reference, bases, pose):
    skin = pose(rig, reference, {})[0, : bases.skin_count]
    np.testing.assert_allclose(skin, reference[: bases.skin_count], atol=1e-3)


def test_without_terms_expression_is_added_to_person(bases, people, pose):
    linear = FaceRig(bases, Terms.none())
    rest, smile, jaw, both = pose(linear, people[0], {}, SMILE, OPEN, SMILE | OPEN)
    np.testing.assert_allclose(both - rest, (smile - rest) + (jaw - rest), atol=1e-3)
    other_rest, other_smile = pose(linear, people[1], {}, SMILE)
    np.testing.assert_allclose(smile - rest, other_smile - other_rest, atol=1e-3)
    k = bases.action_names.index("jawOpen")
    moved = (jaw - rest)[: bases.skin_count]
    np.testing.assert_allclose(moved, bases.action[k, : bases.skin_count], atol=0.5)


@pytest.mark.parametrize("term", [field.name for field in fields(Terms)])
def test_every_term_has_a_switch(bases, rig, people, pose, term):
    without = FaceRig(bases, replace(Terms(), **{term: False}))
    recipes = (BLINK, OPEN, PRESSED, SMILE)
    change = np.linalg.norm(
        pose(rig, people[0], *recipes) - pose(without, people[0], *recipes), axis=2
    )
    assert change.max() > 0.3
    only = FaceRig(bases, replace(Terms.none(), **{term: True}))
    linear = FaceRig(bases, Terms.none())
    alone = np.linalg.norm(
        pose(only, people[0], *recipes) - pose(linear, people[0], *recipes), axis=2
    )
    assert alone.max() > 0.3


def test_symmetric_in_symmetric_out(rig, bases, reference, pose):
    mirror = bases.control.mirror
    for face in pose(rig, reference, BLINK, OPEN, PRESSED, SMILE):
        np.testing.assert_allclose(face[mirror] * [-1, 1, 1], face, atol=2e-2)


def _lid_gaps(rig, points):
    """What one sees between the lids from the front (faces, places), mm; negative if they cross.

    Lids are thick: it is between the lowest of the upper and the highest of the lower rings.
    """
    gaps = []
    for face, rings in ((face, rings) for face in points for rings in rig.control.eye_rings):
        corners = face[rings[0, [hm08.EYE_MEDIAL, hm08.EYE_LATERAL]], 0]
        places = np.linspace(*corners, 21)[4:17]
        upper, lower = (
            [_height(face[rings[ring, list(lid)]], places) for ring in range(3)]
            for lid in (hm08.UPPER_LID, hm08.LOWER_LID)
        )
        gaps.append(np.min(upper, axis=0) - np.max(lower, axis=0))
    return np.array(gaps)


def _height(chain, places):
    order = np.argsort(chain[:, 0])
    return np.interp(places, chain[order, 0], chain[order, 1])


def test_a_blink_closes_anyones_eyes_and_lids_never_cross(rig, bases, people, pose):
    linear = FaceRig(bases, Terms.none())
    crossed = []
    for neutral in people:
        gaps = _lid_gaps(rig, pose(rig, neutral, BLINK, {"eyeBlink*": 1.2}))
        assert gaps.max() < 0.6
        assert abs(np.median(gaps)) < 0.2
        assert gaps.min() > -1  # towards the corners the lid's fold hangs over its edge
        crossed.append(_lid_gaps(linear, pose(linear, neutral, BLINK)).min())
    assert np.mean(crossed) < -2  # plain blend shapes pass through each other


def test_lips_do_not_cross_when_pressed(rig, bases, people, pose):
    linear = FaceRig(bases, Terms.none())
    for neutral in people:
        skin = pose(rig, neutral, PRESSED)[:, : bases.skin_count]
        assert rig.lips.overlap(skin).max() < 0.25
        plain = pose(linear, neutral, PRESSED)[:, : bases.skin_count]
        assert rig.lips.overlap(plain).max() > 3


def test_contact_by_hand():
    """Two chains of three vertices between shared corners; the middle crosses by 2 mm."""
    reference = np.array([[0.0, 0, 0], [1, 1, 0], [2, 0, 0], [1, -1, 0]])
    contact = Contact(
        np.array([[0, 1, 2, 3]]),
        reference,
        (0, 1, 2),
        (0, 3, 2),
        stations=1,
        falloff=(1.0,),
        share_lower=0.25,
    )
    crossing = np.array([[0.0, 0, 0], [1, -1, 0], [2, 0, 0], [1, 1, 0]])
    np.testing.assert_allclose(contact.overlap(crossing[None]), [[2]])
    apart = contact.resolve(crossing[None])[0]
    np.testing.assert_allclose(apart[:, 1], [0, 0.5, 0, 0.5])  # three quarters by the upper
    touching_nothing = reference[None].copy()
    assert contact.resolve(touching_nothing) is touching_nothing


def test_the_jaw_moves_on_an_arc(rig, bases, reference, pose):
    chin = int(
        np.argmax(
            rig.jaw.weight * (rig.jaw.weight > 0.999) - reference[: bases.skin_count, 1] / 1e3
        )
    )
    steps = [{"jawOpen": opening} for opening in (0.0, 0.25, 0.5, 0.75, 1.0)]
    path = pose(rig, reference, *steps)[:, chin]
    straight = path[:1] + np.linspace(0, 1, 5)[:, None] * (path[-1] - path[0])
    assert np.linalg.norm(path - straight, axis=1).max() > 0.5
    linear = FaceRig(bases, replace(Terms(), jaw_hinge=False, soft_volume=False))
    path = pose(linear, reference, *steps)[:, chin]
    straight = path[:1] + np.linspace(0, 1, 5)[:, None] * (path[-1] - path[0])
    np.testing.assert_allclose(path, straight, atol=1e-3)


def test_the_hinge_keeps_distances(rig, bases, reference):
    skin = reference[: bases.skin_count].astype(np.float32)
    axis = rig.jaw.axis(skin)
    rigid = rig.jaw.weight > 0.999
    turned = rig.jaw.turn(skin[None], np.array([0.8], dtype=np.float32), axis)[0]
    radius = np.linalg.norm(skin[rigid, 1:] - axis, axis=1)
    np.testing.assert_allclose(np.linalg.norm(turned[rigid, 1:] - axis, axis=1), radius, rtol=1e-3)
    np.testing.assert_array_equal(turned[rig.jaw.weight == 0], skin[rig.jaw.weight == 0])
    assert np.degrees(rig.jaw.angle) == pytest.approx(19.8, abs=0.5)


def test_transport_follows_rotation_and_scale(rig, bases, reference):
    skin = reference[: bases.skin_count].astype(np.float32)
    np.testing.assert_allclose(
        rig.transport(skin), np.tile(np.eye(3), (len(skin), 1, 1)), atol=2e-3
    )
    cos, sin = np.cos(0.3), np.sin(0.3)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=np.float32)
    turned = rig.transport(skin @ rotation.T)
    np.testing.assert_allclose(turned, np.tile(rotation, (len(skin), 1, 1)), atol=2e-3)
    larger = rig.transport(1.2 * skin)
    stretch = np.cbrt(np.linalg.det(larger))
    np.testing.assert_allclose(stretch, 1.2, atol=0.05)


def test_squeezed_skin_bulges_and_lids_do_not(rig, bases, reference):
    skin = reference[: bases.skin_count].astype(np.float32)
    np.testing.assert_allclose(rig.volume.bulge(skin[None], skin, 1.0)[0], skin, atol=1e-4)
    squeezed = 0.9 * skin[None]
    moved = rig.volume.bulge(squeezed, skin, 1.0) - squeezed
    outwards = (moved * rig.skin.normals(squeezed)).sum(axis=2)[0]
    lids = bases.control.eye_rings[:, :3].ravel()
    np.testing.assert_allclose(outwards[lids], 0, atol=1e-6)
    assert outwards.min() > -1e-4
    assert np.median(outwards) > 0.1
    soft = rig.volume.bulge(squeezed, skin, 0.5) - squeezed
    np.testing.assert_allclose(soft, 0.5 * moved, atol=1e-4)


def test_eyes_are_round_and_mouths_deep(rig, bases, reference, pose):
    flat = FaceRig(bases, replace(Terms(), membranes=False))
    wide = {"eyeWide*": 1.0, "jawOpen": 0.6}
    shaped, plain = (pose(which, reference, wide)[0] for which in (rig, flat))
    centre, pole = reference[bases.skin_count], reference[bases.skin_count + 2]
    middle = bases.control.eye_fill[0, 16]  # middle station of the middle row
    radius = np.linalg.norm(pole - centre)
    assert np.linalg.norm(shaped[middle] - centre) == pytest.approx(radius, abs=0.05)
    mouth = bases.control.mouth_fill
    assert (shaped[mouth, 2] <= plain[mouth, 2] + 1e-4).all()
    assert (plain[mouth, 2] - shaped[mouth, 2]).max() > 3


def test_any_batch_gives_the_same_faces(rig, expressions, people):
    rng = np.random.default_rng(0)
    actions = rng.uniform(0, 0.6, (9, len(expressions.action_names)))
    person = rig.person(people[0])
    alone = np.concatenate([person.pose(row[None]) for row in actions])
    np.testing.assert_allclose(person.pose(actions), alone, atol=1e-3)


def test_apply_rows_is_a_product_per_face(bases):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, bases.skin_count, 3))
    expected = np.stack([bases.control.membrane @ one for one in values])
    np.testing.assert_allclose(apply_rows(bases.control.membrane, values), expected, atol=1e-12)
