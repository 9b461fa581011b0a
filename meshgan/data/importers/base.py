"""What an importer is: it lists the faces of a source, then reads them one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Faces
from meshgan.data.template import Template


@dataclass(frozen=True)
class SourceItem:
    """One face of a source as its names and tables tell, before its geometry is read.

    Args:
        where: what messages and reports call it: the path below the source's root, with ``#row``
            if a file holds many.
        subject: the source's own name of the person.
        labels: factor -> label name; a factor that is missing here is unlabelled. "expression"
            holds one of the seven common names, and "SOURCE_expression" (for example
            "coma_expression") the source's own word. "identity" is never listed: it is the subject.
        sequence: the recording, unique within the subject; empty for a still.
        frame: position in the recording, from 0.
    """

    where: str
    subject: str
    labels: Mapping[str, str] = field(default_factory=dict)
    sequence: str = ""
    frame: int = 0


@dataclass(frozen=True, eq=False)
class MeasuredLandmarks:
    """Landmarks that come with a face: L points in the order of a named set.

    Args:
        order: name of the set ("ibug68", "bu83", "bosphorus22", ...), or "" if ``labels`` tell.
        points: (L, 3), the source's unit and axes; a missing landmark is a row of NaN.
        labels: a name per point, or empty.
    """

    order: str
    points: Float[np.ndarray, "L 3"]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SourceFace:
    """One face of a source, in the source's own unit and axes.

    Args:
        vertices: positions (V, 3).
        faces: triangles (F, 3) of a raw scan; None if it has the source's common topology.
        landmarks: measured landmarks, if the source has them.
        extras: anything else to keep with it, for example true parameters (one array each).
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Faces | None = None
    landmarks: MeasuredLandmarks | None = None
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)


@runtime_checkable
class Importer(Protocol):
    """One public format: a frozen dataclass whose first field is the source's root folder.

    Further fields are its options, each with a default and a docstring; they are set by
    ``--set name=value`` and checked in ``__post_init__``.

    Attributes:
        format: its word on the command line.
        unit: the source's unit of length ("mm", "cm", "m", "um"), or None if it must be guessed.
        axis_map: which source axes are our x (subject's left), y (up), z (out of the face):
            "x y z", "x z -y", ...
        registered: True if all faces have one topology.
    """

    format: str
    unit: str | None
    axis_map: str
    registered: bool

    def template(self) -> Template | None:
        """The common topology of a registered source, in mm and our axes; None for raw scans."""
        ...

    def items(self) -> Sequence[SourceItem]:
        """All faces in a fixed order; reads names and tables, no geometry.

        Raises:
            FileFormatError: ``root`` is not laid out like this source; says what was looked for.
        """
        ...

    def read(self, item: SourceItem) -> SourceFace:
        """Read the geometry of one item.

        Raises:
            FileFormatError: the file is missing, empty or damaged; the message names it.
        """
        ...
