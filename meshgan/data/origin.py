"""Where the rows of a data set come from: as plain values, and compared when a build is resumed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshgan.data.manifest import Manifest
from meshgan.errors import InputError


def as_json(folder: Path, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest will hold after a trip through JSON, so that resuming can compare.

    Raises:
        InputError: these are no plain JSON values.
    """
    try:
        return json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"{folder}: the provenance is not plain JSON values ({error})") from error


def refuse_differences(folder: Path, found: Manifest, asked: Manifest) -> None:
    """Refuse to go on with a data set that was started otherwise.

    Raises:
        InputError: names every difference.
    """
    fields = ("topology_hash", "factors", "subjects", "source_unit", "axis_map")
    wrong = [name for name in fields if getattr(found, name) != getattr(asked, name)]
    wrong += _json_differences(found.provenance, asked.provenance)
    if found.appended:
        wrong.append("rows were appended since")
    if wrong:
        raise InputError(
            f"{folder}: cannot resume, another data set was started there: differs in "
            f"{'; '.join(wrong)}. Ask for the same again, or choose another folder"
        )


def _json_differences(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            text
            for key in sorted(before.keys() | now.keys())
            for text in _json_differences(before.get(key), now.get(key), f"{name}.{key}")
        ]
    return [] if before == now else [f"{name.lstrip('.')} (was {before!r}, now {now!r})"]
