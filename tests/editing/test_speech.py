"""Speech: phonemes last as long as usual, every viseme is reached, the lips are shut when due."""

import numpy as np
import pytest
import torch

from meshgan.data.importers.phonemes import Alignment
from meshgan.data.synthetic.recipes import VISEME_SOUNDS
from meshgan.editing.speech import blink_times, phonemes_in_time, speech_codes
from meshgan.errors import InputError
from tests.fakes import AdditiveModel

NAMES = tuple(VISEME_SOUNDS)


class TalkingModel(AdditiveModel):
    """Its viseme codes are unit vectors, silence is zero: codes can be read as weights."""

    def __init__(self):
        super().__init__(side=8)
        self.factors = {**self.factors, "viseme": NAMES}
        self.code_sizes = {"identity": 6, "expression": 4, "viseme": len(NAMES) - 1, "noise": 2}
        self.fixed["viseme"] = torch.eye(len(NAMES))[:, 1:].double()


@pytest.fixture(scope="module")
def model():
    return TalkingModel()


@pytest.fixture(scope="module")
def person(model):
    rng = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(1, size, generator=rng).double()
        for name, size in model.code_sizes.items()
    }


def test_durations_of_phonemes():
    hello = phonemes_in_time("HH AH0 L OW1, W")
    assert hello.phonemes == ("silence", "HH", "AH0", "L", "OW1", "silence", "W", "silence")
    lengths = hello.end_s - hello.start_s
    np.testing.assert_allclose(hello.start_s[1:], hello.end_s[:-1])
    assert hello.start_s[0] == 0
    assert lengths[4] > lengths[2] > lengths[3]  # a stressed vowel, a vowel, a consonant
    fast = phonemes_in_time(["HH", "AH0"], speed=2.0)
    np.testing.assert_allclose((fast.end_s - fast.start_s)[1:3], lengths[1:3] / 2)


def test_every_sound_is_reached_in_its_turn(model, person):
    speech = speech_codes(model, person, phonemes_in_time("HH AH0 L OW1 M"), 100.0)
    order = [speech.visemes[k] for k in speech.weights.argmax(axis=1)]
    seen = [name for k, name in enumerate(order) if k == 0 or name != order[k - 1]]
    assert seen == ["silence", "V1", "A", "V2", "E", "silence"]
    np.testing.assert_allclose(speech.weights.sum(axis=1), 1)
    codes = speech.codes["viseme"].numpy()
    np.testing.assert_allclose(codes, speech.weights[:, 1:], atol=1e-9)
    assert np.abs(np.diff(codes, axis=0)).max() < 0.12  # it flows
    for name in ("identity", "expression", "noise"):
        assert (speech.codes[name] == person[name]).all()


def test_the_lips_of_a_press_are_nearly_shut_at_its_middle(model, person):
    spoken = Alignment(np.array([0.0, 0.3, 0.45]), np.array([0.3, 0.45, 0.8]), ("aa", "m", "aa"))
    speech = speech_codes(model, person, spoken, 100.0)
    press = speech.weights[:, NAMES.index("E")]
    assert press.argmax() == pytest.approx(37, abs=1)
    assert press.max() > 0.75
    loud = speech_codes(model, person, spoken, 100.0, strength=1.5)
    torch.testing.assert_close(loud.codes["viseme"], 1.5 * speech.codes["viseme"])


def test_blinks_close_the_eyes_for_a_moment():
    times = np.arange(0, 30, 0.02)
    closed = blink_times(times, np.random.default_rng(0))
    starts = ((closed[1:] > 0) & (closed[:-1] == 0)).sum()
    assert 5 <= starts <= 15
    assert closed.max() == 1
    assert 0.02 < (closed > 0).mean() < 0.12


def test_refuses_bad_input(model, person):
    with pytest.raises(InputError, match=r"no factor viseme \(it has identity, expression"):
        speech_codes(AdditiveModel(side=8), person, phonemes_in_time("M"))
    with pytest.raises(InputError, match="unknown phonemes hello; expected ARPAbet"):
        phonemes_in_time("hello M")
    with pytest.raises(InputError, match="0 phonemes"):
        phonemes_in_time("  ")
    with pytest.raises(InputError, match="speed"):
        phonemes_in_time("M", speed=0.0)
    few = TalkingModel()
    few.factors = {**few.factors, "viseme": NAMES[:3]}
    with pytest.raises(InputError, match="has no viseme E; it has silence, V1, V2"):
        speech_codes(few, person, phonemes_in_time("M"))
