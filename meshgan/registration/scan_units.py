"""The unit of a scan, from its size: a face is some hand-widths large."""

import numpy as np

from meshgan.arrays import Vertices
from meshgan.errors import InputError

UNITS_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
SMALLEST_MM, LARGEST_MM = 90.0, 1500.0  # diagonal of half a face; of a head with its upper body
OUTLIERS = 0.02  # share of the coordinates on either side that does not count


def find_unit(vertices: Vertices, stated: str | None, notes: list[str]) -> str | None:
    """The unit in which the vertices have the size of a face; None if no unit does that.

    Args:
        vertices: (V, 3), finite.
        stated: what the source says, tried first; None if it says nothing.
        notes: gets a sentence if the unit is another than stated, or not mm.

    Raises:
        InputError: ``stated`` is no unit known here.
    """
    if stated is not None and stated not in UNITS_MM:
        raise InputError(f'scan: unit "{stated}", expected one of {", ".join(UNITS_MM)}')
    low, high = np.quantile(vertices, [OUTLIERS, 1 - OUTLIERS], axis=0)
    extent = float(np.linalg.norm(high - low))
    tried = [unit for unit in (stated, "mm", "m", "cm", "um") if unit is not None]
    for unit in tried:
        if SMALLEST_MM <= extent * UNITS_MM[unit] <= LARGEST_MM:
            if stated is not None and unit != stated:
                notes.append(
                    f"its unit is {unit}, not {stated}: an extent of {extent:.4g} {stated} "
                    "is no face"
                )
            elif stated is None and unit != "mm":
                notes.append(f"its unit seems to be {unit} (extent {extent:.4g}); taken to mm")
            return unit
    return None
