"""Codes of faces on disk: one array (B, d) per code in a ``.npz``, as ``meshgan sample`` writes."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from meshgan.data.npz import read_npz, write_npz
from meshgan.errors import FileFormatError


def write_codes(path: Path | str, codes: Mapping[str, Tensor]) -> None:
    """Write codes by name, each (B, d) float32; the same codes give the same bytes.

    Raises:
        JobError: the file cannot be written.
    """
    write_npz(path, {name: code.detach().cpu().float().numpy() for name, code in codes.items()})


def read_codes(path: Path | str, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Read codes and check that they are those of a model.

    Args:
        path: an ``.npz`` file.
        sizes: length d of each code that the model has; other arrays of the file are passed over.

    Returns:
        By name (B, d) float32, in the order of ``sizes``.

    Raises:
        FileFormatError: unreadable, or a code is missing, not finite, or of another shape.
    """
    arrays = read_npz(path)
    wrong = [
        f"{name} {arrays[name].shape if name in arrays else 'missing'}, expected (B, {size})"
        for name, size in sizes.items()
        if name not in arrays or arrays[name].ndim != 2 or arrays[name].shape[1] != size
    ]
    counts = {len(arrays[name]) for name in sizes if name in arrays and arrays[name].ndim == 2}
    if wrong or len(counts) > 1:
        raise FileFormatError(
            f"{path}: {'; '.join(wrong) or 'codes of different numbers of faces'}; "
            "these codes belong to another model"
        )
    codes = {}
    for name in sizes:
        if arrays[name].dtype.kind not in "fiu":
            raise FileFormatError(f"{path}: {name} holds {arrays[name].dtype}, expected numbers")
        codes[name] = torch.from_numpy(arrays[name].astype("float32"))
        if not bool(codes[name].isfinite().all()):
            raise FileFormatError(f"{path}: {name} holds numbers that are not finite")
    return codes
