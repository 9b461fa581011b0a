"""Faces in one word each: a file, a row of codes, a random one, a label at a strength."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from meshgan.apps.face_inputs import FaceReader
from meshgan.apps.face_model import FaceModel
from meshgan.editing.arithmetic import at_strength
from meshgan.errors import InputError
from meshgan.fitting.meshes import fit_meshes
from meshgan.models.base import Codes

_LABEL = re.compile(r"([A-Za-z_]\w*)=([^@=]+)(?:@([-+]?[\d.]+))?")
_ROW = re.compile(r"(.+\.npz):(\d+)")
_SEED = re.compile(r"seed:(\d+)")


def face_codes(model: FaceModel, words: Sequence[str]) -> list[Codes]:
    """Codes (1, d) of each face.

    A word is ``mean``, ``seed:5`` (a random face), ``face.ply`` (fitted; any mesh file),
    ``codes.npz`` or ``codes.npz:3`` (a row of it), or ``expression=happiness``, with a strength
    ``expression=happiness@0.6``: the face of the word before, or the mean face, as the label has
    it. Words joined by ``+`` are one face: ``seed:5+expression=fear``.

    Raises:
        InputError: a word says nothing of this, or names a label or row that is not there.
        FileFormatError: a file cannot be read.
    """
    reader = FaceReader(model)
    mean = {
        name: torch.zeros(1, size, device=model.device)
        for name, size in model.model.code_sizes.items()
    }
    found, last = [], mean
    for word in words:
        for part in word.split("+"):
            last = _face(model, reader, part, last, mean)
        found.append(last)
    return found


def _face(model: FaceModel, reader: FaceReader, word: str, last: Codes, mean: Codes) -> Codes:
    if word == "mean":
        return mean
    if seed := _SEED.fullmatch(word):
        codes = model.codes(1, int(seed[1]))
        return {name: code.to(model.device) for name, code in codes.items()}
    path, row = Path(word), None
    if rows := _ROW.fullmatch(word):
        path, row = Path(rows[1]), int(rows[2])
    if path.exists():
        face = reader.read(path, row or 0)
        if face.codes is not None:
            return face.codes
        assert face.vertices is not None  # one of the two is always there
        return fit_meshes(model.model, face.vertices).codes
    if label := _LABEL.fullmatch(word):
        strength = 1.0 if label[3] is None else float(label[3])
        return at_strength(model.model, last, {label[1]: label[2]}, strength)
    raise InputError(
        f"{word}: no such file, and not a face in words; expected mean, seed:5, face.ply, "
        "codes.npz:3 or expression=happiness@0.6"
    )
