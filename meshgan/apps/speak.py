"""A face that says something, from phonemes."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.apps.animation import USUAL_FILM, Film, check_animation, write_animation
from meshgan.apps.face_keys import face_codes
from meshgan.apps.face_model import FaceModel
from meshgan.data.code_files import write_codes
from meshgan.data.importers.phonemes import SUFFIXES, Alignment, read_alignment
from meshgan.data.weight_files import ARKIT_NAMES
from meshgan.editing.arithmetic import at_strength
from meshgan.editing.arkit import ArkitFace, source_of
from meshgan.editing.morphs import at_rest
from meshgan.editing.speech import VISEME, Speech, phonemes_in_time, speech_codes
from meshgan.errors import InputError
from meshgan.models.base import Codes
from meshgan.pictures.paint import paint_template

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")


def speak(
    run: Path | FaceModel | None,
    phonemes: str,
    out: Path,
    face: str = "mean",
    expression: str | None = None,
    speed: float = 1.0,
    strength: float = 1.0,
    blinks: bool = True,
    seed: int = 0,
    film: Film = USUAL_FILM,
    codes: Path | None = None,
) -> dict[str, Any]:
    """Write an animation of a face that says phonemes.

    Args:
        run: RUN folder of a model with the factor "viseme", or the model; None for the model
            that comes with the package.
        phonemes: "HH AH0 L OW1", or the name of an alignment file (.TextGrid, .lab, .csv).
        out: .glb (one face, a morph target per viseme), .gif, .mp4, .pc2, .png or a new folder.
        face: who speaks, in words (``face_keys.face_codes``).
        expression: a label, with a strength if wanted: "happiness@0.5".
        speed: 2 is twice as fast; not of a file, which has its own times.
        strength: how far the mouth moves.
        blinks: close the eyes now and then; default faces only.
        seed: of the blinks.
        film: how it looks.
        codes: ``.npz`` for the codes of all frames.

    Returns:
        ``files``, ``frames``, ``visemes`` (in order), ``phonemes``, ``seconds_long``.

    Raises:
        InputError: the model has no visemes, or a phoneme or label is unknown.
        FileFormatError: the alignment cannot be read.
        JobError: a file cannot be written.
    """
    check_animation(out)
    model = run if isinstance(run, FaceModel) else FaceModel.load(run)
    spoken = read_phonemes(phonemes, speed)
    person = in_mood(model, at_rest(model.model, face_codes(model, [face])[0]), expression)
    draws = np.random.default_rng(seed)
    speech = speech_codes(
        model.model, person, spoken, film.frames_per_second, strength, blinks, draws
    )
    vertices, named, weights, rest = animate_speech(model, person, speech)
    summary = write_animation(
        out,
        model.template.mesh,
        vertices,
        film,
        paint_template(model.template),
        named,
        weights,
        rest,
    )
    if codes is not None:
        write_codes(codes, speech.codes)
        summary["codes"] = str(codes)
    order = [speech.visemes[k] for k in speech.weights.argmax(axis=1)]
    changes = [name for k, name in enumerate(order) if k == 0 or name != order[k - 1]]
    return {**summary, "visemes": changes, "phonemes": len(spoken.phonemes)}


def read_phonemes(phonemes: str, speed: float = 1.0) -> Alignment:
    """Phonemes in time, from words or from an alignment file."""
    path = Path(phonemes)
    if path.suffix.lower() in SUFFIXES:
        return read_alignment(path)
    return phonemes_in_time(phonemes, speed)


def animate_speech(
    model: FaceModel, person: Codes, speech: Speech
) -> tuple[
    Float[np.ndarray, "T V 3"],
    dict[str, Float[np.ndarray, "V 3"]],
    Float[np.ndarray, "T K"],
    Float[np.ndarray, "V 3"],
]:
    """Frames, and the morph targets that show them: one per viseme, and a blink.

    Returns:
        Vertices (mm), targets by name, their weights, and the face at weights 0.
    """
    silent = speech.visemes.index("silence")
    rest = model.decode({**person, VISEME: model.label_code(VISEME, "silence")}).cpu().numpy()[0]
    used = [k for k in range(len(speech.visemes)) if k != silent and speech.weights[:, k].max() > 0]
    full = model.model.label_codes(VISEME)[used]
    same = {name: code.expand(len(used), -1) for name, code in person.items()}
    shapes = model.decode({**same, VISEME: full}).cpu().numpy() - rest
    named = {f"viseme_{speech.visemes[k]}": shape for k, shape in zip(used, shapes, strict=True)}
    weights = speech.weights[:, used]
    vertices = model.decode(speech.codes).cpu().numpy()
    blink = _blink(model, rest) if speech.blinks.any() else None
    if blink is not None:
        vertices = vertices + speech.blinks[:, None, None].astype(np.float32) * blink
        named["blink"] = blink
        weights = np.column_stack([weights, speech.blinks])
    return vertices, named, weights, rest


def _blink(model: FaceModel, rest: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"] | None:
    """Both eyes closed, on this face; None where the template's actions are not known."""
    try:
        face = ArkitFace(source_of(model.template), rest)
    except InputError:
        return None
    return face.shapes[[ARKIT_NAMES.index(name) for name in BLINKS]].sum(axis=0)


def in_mood(model: FaceModel, person: Codes, expression: str | None) -> Codes:
    """A face with an expression in words: a label, with a strength if wanted: happiness@0.5."""
    if expression is None:
        return person
    label, _, amount = expression.partition("@")
    try:
        strength = float(amount or 1)
    except ValueError as error:
        raise InputError(
            f"expression {expression}: expected a label and a strength, such as happiness@0.5"
        ) from error
    return at_strength(model.model, person, {"expression": label}, strength)
