"""Extreme expressions: beyond what data sets hold, and repeatable row by row."""

import numpy as np
import pytest

from meshgan.data.synthetic.extreme import BLENDS, EXTREME, UNSEEN, extreme_faces
from meshgan.data.synthetic.recipes import EMOTIONS, both_sides
from meshgan.data.synthetic.source import open_source
from meshgan.errors import InputError


@pytest.fixture(scope="module")
def source():
    return open_source("low")


def test_every_weight_is_one_of_the_actions_and_in_range(source):
    for recipe in EXTREME.values():
        sided = both_sides(recipe)
        assert set(sided) <= set(source.action_names)
        assert 0 < min(sided.values()) <= max(sided.values()) <= 1.2


def test_no_emotion_looks_like_them():
    """Whatever style of an emotion, some action is at least half as strong again."""
    styles = [style for emotion in EMOTIONS.values() for style in emotion]
    for name, recipe in EXTREME.items():
        for style in styles:
            weights = both_sides(recipe).items()
            assert any(weight >= 1.5 * style.get(action, 0) for action, weight in weights), name


def test_the_unseen_use_muscles_that_no_emotion_uses():
    used = {action for emotion in EMOTIONS.values() for style in emotion for action in style}
    for name, recipe in UNSEEN.items():
        new = set(recipe) - used
        one_sided = {action for action in recipe if action.endswith(("Left", "Right"))}
        assert new or one_sided or recipe["mouthFunnel"] > 0.5, name  # emotions: up to 0.15
    for recipe in BLENDS.values():
        assert not recipe.keys() & {"cheekPuff", "mouthLeft", "mouthRight", "jawLeft"}


def test_a_row_depends_on_person_and_expression_alone(source):
    both = extreme_faces(source, [1_500_000, 1_500_003], 4, ("yawn", "wink"))
    one = extreme_faces(source, [1_500_003], 4, ("wink",))
    np.testing.assert_allclose(both.vertices[3], one.vertices[0], atol=1e-4)  # mm; rounding
    np.testing.assert_array_equal(both.actions[3], one.actions[0])
    assert both.names == ("yawn", "wink", "yawn", "wink")
    assert both.subject.tolist() == [1_500_000, 1_500_000, 1_500_003, 1_500_003]
    assert both.vertices.shape == (4, source.template.vertex_count, 3)


def test_they_are_far_from_rest(source):
    shown = extreme_faces(source, [1_500_001])
    moved = np.linalg.norm(shown.vertices - source.neutral(0, 1_500_001), axis=2).max(axis=1)
    assert moved.min() > 5  # mm, the vertex that moves most


def test_refuses_unknown_expressions_and_nobody(source):
    with pytest.raises(InputError, match="give at least one of each, out of laugh in surprise"):
        extreme_faces(source, [1], expressions=("sneeze",))
    with pytest.raises(InputError, match="0 people"):
        extreme_faces(source, [])
