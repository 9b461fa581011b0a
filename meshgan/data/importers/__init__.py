"""Importers: one module per public format, found by its word on the command line."""

import importlib
from pathlib import Path
from typing import Any

from meshgan import config
from meshgan.data.importers.base import Importer
from meshgan.errors import ConfigError, InputError

IMPORTERS: dict[str, str] = {
    "ict": "meshgan.data.importers.ict:ICT",
    "bu3dfe": "meshgan.data.importers.bu3dfe:BU3DFE",
    "bu4dfe": "meshgan.data.importers.bu4dfe:BU4DFE",
    "bp4d": "meshgan.data.importers.bp4d:BP4D",
    "bosphorus": "meshgan.data.importers.bosphorus:Bosphorus",
    "biwi": "meshgan.data.importers.biwi:BIWI",
    "coma": "meshgan.data.importers.coma:CoMA",
    "facescape": "meshgan.data.importers.facescape:FaceScape",
    "facewarehouse": "meshgan.data.importers.facewarehouse:FaceWarehouse",
    "vocaset": "meshgan.data.importers.vocaset:VOCASET",
    "bfm": "meshgan.data.importers.bfm:BFM",
    "flame": "meshgan.data.importers.flame:FLAME",
    "folder": "meshgan.data.importers.folder:Folder",
}
"""Word on the command line -> ``module:Class``; a module is loaded when its word is used."""


def importer_class(word: str) -> type:
    """The class of a format's importer.

    Raises:
        InputError: there is no such format.
    """
    if word not in IMPORTERS:
        raise InputError(f"format {word!r} is unknown; known are {', '.join(IMPORTERS)}")
    module, _, name = IMPORTERS[word].partition(":")
    return getattr(importlib.import_module(module), name)


def open_importer(word: str, root: Path | str, options: dict[str, Any] | None = None) -> Importer:
    """An importer for the files below ``root``.

    Args:
        word: the format.
        root: folder of the source (for some formats also a single file).
        options: fields of the importer's class by name, as plain values.

    Raises:
        InputError: no such format, or nothing at ``root``.
        ConfigError: an unknown option, a wrong type or a value out of range; all in one message.
    """
    kind, root = importer_class(word), Path(root)
    if not root.exists():
        raise InputError(f"{root}: no such file or folder; expected the {word} source")
    if "root" in (options or {}):
        raise ConfigError("--set root: is no option; the source is the command's PATH")
    return config.build(kind, {**(options or {}), "root": root}, where=f"{word} options")
