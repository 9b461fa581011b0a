"""Which unit and axes a source really has: what it declares, held against one of its faces."""

from dataclasses import dataclass, replace

import numpy as np

from meshgan.data.importers.base import Importer, SourceFace
from meshgan.data.importers.conversion import (
    Conversion,
    axis_map_of,
    axis_matrix,
    reconvert,
)
from meshgan.data.importers.plausibility import is_inside_out, is_mirrored, measured_axis_map
from meshgan.data.importers.reading import ConvertedFace, convert_face
from meshgan.data.mesh_io import Unit
from meshgan.data.template import Template
from meshgan.errors import InputError


@dataclass(frozen=True, eq=False)
class Decision:
    """How a source is converted.

    Args:
        conversion: from its unit and axes.
        template: its common topology as that conversion makes it; None for raw scans.
        messages: what the user should know: a guessed unit, turned triangles, doubts.
    """

    conversion: Conversion
    template: Template | None
    messages: tuple[str, ...]


def decide_conversion(
    importer: Importer,
    example: SourceFace,
    template: Template | None,
    unit: Unit | None = None,
    axis_map: str | None = None,
) -> Decision:
    """How a source becomes millimetres and our axes.

    The unit is the user's, else the source's, else guessed from the size of the example.

    Args:
        importer: of the source.
        example: any face of it.
        template: the importer's, in mm by the importer's own reckoning; None for raw scans.
        unit: what the user says.
        axis_map: what the user says.

    Raises:
        InputError: the example contradicts unit or axes that the user did not name; the message
            says which option sets them.
    """
    asked_axes = axis_map or importer.axis_map
    fitting = _fitting_unit(example, template, asked_axes)
    messages: list[str] = []
    if unit is not None:
        conversion = Conversion(unit, asked_axes, insisted=True)
    elif importer.unit is not None:
        conversion = Conversion(importer.unit, asked_axes)
    else:
        conversion = Conversion(fitting, asked_axes, guessed=True)
    size = convert_face(example, conversion, template).size
    if conversion.guessed:
        messages.append(
            f"the source does not say its unit; taken as {fitting}, for then its first face has "
            f"{size} mm (--unit sets it)"
        )
    elif fitting != conversion.unit:
        said = f"the first face has {size} mm if its unit is {conversion.unit}"
        if not conversion.insisted:
            raise InputError(f"{said}: it is rather in {fitting}; give --unit {fitting}")
        messages.append(f"{said}, as asked for; {fitting} would fit a face better")
    if template is None:
        return Decision(conversion, None, tuple(messages))
    believed = Conversion(importer.unit or fitting, importer.axis_map)
    template, turned = _turned_outwards(reconvert(template, believed, conversion))
    doubt = _doubt_of_axes(convert_face(example, conversion, template), conversion)
    if doubt and axis_map is None:
        raise InputError(f"{doubt}, or {conversion.axis_map!r} to insist")
    if doubt:
        conversion = replace(conversion, insisted_axes=True)
    return Decision(conversion, template, (*messages, *turned, *([doubt] if doubt else [])))


def _fitting_unit(example: SourceFace, template: Template | None, axis_map: str) -> Unit:
    """The unit in which the example is of a face's size.

    Raises:
        InputError: it has no extent.
    """
    return convert_face(example, Conversion("mm", axis_map), template).size.unit()


def _doubt_of_axes(face: ConvertedFace, conversion: Conversion) -> str:
    """What landmarks say against the map of axes; nothing if they agree or cannot tell."""
    found = measured_axis_map(face.judged_by)
    if found in (None, "x y z"):
        return ""
    mirrored = is_mirrored(face.judged_by)
    what = "is mirrored (left and right exchanged)" if mirrored else "does not stand upright"
    better = axis_map_of(axis_matrix(found) @ axis_matrix(conversion.axis_map))
    return f'the first face {what} with axes {conversion.axis_map!r}; give --axis-map="{better}"'


def _turned_outwards(template: Template) -> tuple[Template, list[str]]:
    mesh = template.mesh
    if not is_inside_out(mesh.vertices, mesh.faces):
        return template, []
    turned = replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]))
    return replace(template, mesh=turned), [
        "the triangles face inwards and are turned; if left and right are exchanged too, "
        'give --axis-map="-x y z"'
    ]
