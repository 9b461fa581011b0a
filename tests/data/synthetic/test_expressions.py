"""Emotions, motion and speech: real actions, neutral ends, visemes where they are labelled."""

import numpy as np
import pytest

from meshgan.data.synthetic.expressions import EMOTION_NAMES
from meshgan.data.synthetic.motion import record_emotion
from meshgan.data.synthetic.recipes import (
    EMOTIONS,
    IDLE,
    MUSCLE_GROUPS,
    VISEME_SOUNDS,
    VISEMES,
    both_sides,
)
from meshgan.data.synthetic.speech import VISEME_NAMES, record_speech
from meshgan.seeding import generator


@pytest.fixture(scope="module")
def person(population):
    return population.person(0, 3)


def test_sides_are_written_out():
    assert both_sides({"a*": 1.0, "b": 2.0}) == {"aLeft": 1.0, "aRight": 1.0, "b": 2.0}


def test_recipes_name_actions_that_exist(bases):
    used = [style for styles in EMOTIONS.values() for style in styles]
    used += [*VISEMES.values(), both_sides(IDLE)]
    for recipe in used:
        assert set(recipe) <= set(bases.action_names)
        assert all(0 < weight <= 1 for weight in recipe.values())
    for starts in MUSCLE_GROUPS.values():
        assert any(name.startswith(starts) for name in bases.action_names)


def test_counts():
    assert len(EMOTION_NAMES) == 7
    assert len(VISEME_NAMES) == 13
    sounds = [sound for sounds in VISEME_SOUNDS.values() for sound in sounds]
    assert len(sounds) == len(set(sounds)) == 42


def test_an_emotion_shows_its_actions_and_never_repeats(expressions, person):
    rng = generator(0, "test")
    first, second = (expressions.emotion(person, "surprise", rng, 1.0) for _ in range(2))
    assert not np.array_equal(first, second)
    for weights in (first, second):
        assert weights[expressions.index["browInnerUp"]] > 0.3
        assert weights.min() >= 0
        assert weights.max() <= 1.2


def test_intensity_scales_an_emotion(expressions, person):
    weak, strong = (
        expressions.emotion(person, "happiness", generator(1, "test"), level)
        for level in (0.5, 1.0)
    )
    smile = expressions.index["mouthSmileLeft"]
    idle = expressions.emotion(person, "happiness", generator(1, "test"), 0.0)[smile]
    assert (strong[smile] - idle) == pytest.approx(2 * (weak[smile] - idle))


def test_neutral_is_nearly_at_rest(expressions, person):
    weights = [expressions.emotion(person, "neutral", generator(k, "test")) for k in range(50)]
    assert 0 < np.mean(weights) < 0.02


def test_habits_are_a_persons_own(expressions, population):
    a, b = (expressions.habits(population.person(0, index)) for index in (0, 1))
    assert np.abs(a - b).max() > 0.05
    brows = [expressions.index[f"browDown{side}"] for side in ("Left", "Right")]
    person = population.person(0, 0)
    expected = person.gains[0] * np.array([1 + person.imbalance, 1 - person.imbalance])
    np.testing.assert_allclose(a[brows], expected)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 53])
@pytest.mark.parametrize("record", [record_emotion, record_speech])
def test_recordings_of_any_length(expressions, person, record, frames):
    take = record(expressions, person, "anger", frames, generator(0, "test"))
    assert take.actions.shape == (frames, 52)
    assert np.isfinite(take.actions).all()
    assert take.expression[0] == take.expression[-1] == 0
    np.testing.assert_array_equal(np.sort(take.order), np.arange(frames))


def test_motion_goes_from_rest_to_the_apex_and_back(expressions, person):
    anger = EMOTION_NAMES.index("anger")
    for seed in range(10):
        take = record_emotion(expressions, person, "anger", 53, generator(seed, "test"))
        brow = take.actions[:, expressions.index["browDownLeft"]]
        first_three = set(take.order[:3].tolist())
        (apex,) = first_three - {0, 52}
        assert {0, 52} < first_three
        assert take.expression[apex] == anger
        assert max(brow[0], brow[-1]) < 0.1 < 0.3 < brow[apex]


def test_motion_has_no_jumps(expressions, person):
    blinks = [expressions.index[f"eyeBlink{side}"] for side in ("Left", "Right")]
    for seed in range(5):
        take = record_emotion(expressions, person, "fear", 500, generator(seed, "test"))
        assert np.abs(np.diff(np.delete(take.actions, blinks, axis=1), axis=0)).max() < 0.1


def test_actions_start_at_their_own_times(expressions, person):
    take = record_emotion(expressions, person, "surprise", 200, generator(0, "test"))
    half = [
        np.argmax(take.actions[:, k] > 0.5 * take.actions[:, k].max())
        for k in (expressions.index[n] for n in ("browInnerUp", "jawOpen", "browOuterUpLeft"))
    ]
    assert len(set(half)) == 3


def test_labelled_visemes_look_like_their_class(expressions, person):
    hits, total = 0, 0
    targets = np.stack([expressions.weights(VISEMES[name]) for name in VISEME_NAMES])
    mouth = [k for k, n in enumerate(expressions.action_names) if n.startswith(("mouth", "jaw"))]
    for seed in range(10):
        take = record_speech(expressions, person, "neutral", 53, generator(seed, "test"))
        best = take.viseme_order[:15]
        difference = take.actions[best][:, None, mouth] - targets[None, :, mouth]
        nearest = np.linalg.norm(difference, axis=2).argmin(axis=1)
        hits += (nearest == take.viseme[best]).sum()
        total += len(best)
    assert hits / total > 0.6  # chance: 0.08; sounds run into each other


def test_speech_is_spoken_in_a_mood(expressions, person):
    calm, angry = (
        record_speech(expressions, person, mood, 60, generator(2, "test"))
        for mood in ("neutral", "anger")
    )
    brow, jaw = expressions.index["browDownLeft"], expressions.index["jawOpen"]
    assert (angry.actions[:, brow] - calm.actions[:, brow]).max() > 0.3
    assert np.corrcoef(angry.actions[:, jaw], calm.actions[:, jaw])[0, 1] > 0.8
    assert (calm.expression == 0).all()
    assert EMOTION_NAMES[angry.expression[angry.order[3]]] == "anger"
    assert calm.viseme[0] == calm.viseme[-1] == VISEME_NAMES.index("silence")
    assert len(np.unique(calm.viseme)) > 5
