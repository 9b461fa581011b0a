"""Read the faces of a source one by one, converted and checked: what importing means for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Faces
from meshgan.data.importers.base import Importer, MeasuredLandmarks, SourceFace, SourceItem
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.plausibility import FaceSize, is_mirrored, measure_size
from meshgan.data.template import Template
from meshgan.errors import MeshGANError


class BadFace(Exception):
    """Why one face is not imported, in a few words, without the name of its file."""


@dataclass(frozen=True, eq=False)
class ConvertedFace:
    """One face in mm and our axes.

    Args:
        vertices: (V, 3), float64.
        faces: triangles (F, 3) of a raw scan; None in a registered source.
        landmarks: measured landmarks in mm and our axes, if the source has them.
        extras: what else the source says of it.
        size: what its scale is judged by, in mm.
        judged_by: the landmarks that directions are judged by: the template's, else the measured.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Faces | None
    landmarks: MeasuredLandmarks | None
    extras: Mapping[str, np.ndarray]
    size: FaceSize
    judged_by: MeasuredLandmarks | None


@dataclass(frozen=True, eq=False)
class SourceReader:
    """Reads, converts and checks faces of one source.

    Args:
        importer: of the source.
        conversion: from its unit and axes.
        template: the common topology of a registered source, in mm; None for raw scans.
    """

    importer: Importer
    conversion: Conversion
    template: Template | None = None

    def read(self, item: SourceItem) -> ConvertedFace:
        """One face.

        Raises:
            BadFace: it is missing, damaged, not finite, of another topology, mirrored, or of a
                size that says another unit.
        """
        face = convert_face(read_source_face(self.importer, item), self.conversion, self.template)
        if not face.size.length > 0:
            raise BadFace("all of it lies at one height; not a face")
        if face.size.unit() != "mm" and not self.conversion.insisted:
            raise BadFace(
                f"{face.size} mm, if its unit is {self.conversion.unit}: not the size of a face; "
                "is it in another unit than the others?"
            )
        if is_mirrored(face.judged_by) and not self.conversion.insisted_axes:
            raise BadFace("left and right are exchanged (mirrored)")
        return face


def read_source_face(importer: Importer, item: SourceItem) -> SourceFace:
    """A face as the source has it.

    Raises:
        BadFace: it cannot be read, is empty, not finite, or its triangles name missing vertices.
    """
    try:
        face = importer.read(item)
    except MeshGANError as error:
        raise BadFace(_without_name(str(error), item.where)) from error
    except (OSError, EOFError) as error:
        raise BadFace(f"cannot be read ({error})") from error
    count = len(face.vertices)
    if not count:
        raise BadFace("holds no vertices")
    finite = np.isfinite(face.vertices).all(axis=1)
    if not finite.all():
        raise BadFace(
            f"{int((~finite).sum()):,} of {count:,} vertices are not finite "
            f"(first: {int(np.argmin(finite)):,})"
        )
    if face.faces is not None and len(face.faces):
        low, high = int(face.faces.min()), int(face.faces.max())
        if low < 0 or high >= count:
            raise BadFace(f"a triangle names vertex {low if low < 0 else high:,} of {count:,}")
    return face


def convert_face(
    face: SourceFace, conversion: Conversion, template: Template | None
) -> ConvertedFace:
    """A face in mm and our axes, with the size and the landmarks to judge it by.

    Raises:
        BadFace: it has another number of vertices than the template.
    """
    if template is not None and len(face.vertices) != template.vertex_count:
        raise BadFace(
            f"{len(face.vertices):,} vertices, the template {template.name} has "
            f"{template.vertex_count:,}"
        )
    vertices = conversion.positions(face.vertices)
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = replace(landmarks, points=conversion.positions(landmarks.points))
    judged_by = landmarks
    if template is not None and "ibug68" in template.landmarks:
        judged_by = MeasuredLandmarks("ibug68", vertices[template.landmarks["ibug68"]])
    return ConvertedFace(
        vertices=vertices,
        faces=None if face.faces is None else conversion.triangles(face.faces),
        landmarks=landmarks,
        extras=face.extras,
        size=measure_size(vertices, judged_by),
        judged_by=judged_by,
    )


def _without_name(message: str, where: str) -> str:
    """Drop a leading file name that ends as ``where`` does: reports name it already."""
    name, colon, rest = message.partition(": ")
    file = where.partition("#")[0]
    return rest if colon and file and name.endswith(file) else message
