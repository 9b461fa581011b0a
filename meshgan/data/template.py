"""Template: the topology that the meshes of a data set or a model share, and its annotations.

A template is a face with a UV map, named landmarks, a left-right map and named regions. It is kept
in a single ``.npz`` file of plain arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int

from meshgan.data.npz import read_npz, write_npz
from meshgan.errors import FileFormatError, InputError, MeshGANError
from meshgan.geometry.mesh import TriMesh

FORMAT = "meshgan-template"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Template:
    """A reference face and its annotations.

    Args:
        name: what messages call it.
        mesh: reference vertices v_ref (mm), faces, and UVs in the unit square if it has a map.
        landmarks: vertex ids by set: "ibug68" (iBUG order), "fit85" (the 68, then 17 more), ...
        mirror: for every vertex its left-right partner, itself on the midline; None if the
            topology is not symmetric.
        regions: vertex ids by name, ascending: "nose", "left_eye", ...

    Raises:
        InputError: an id is out of range, or the mirror map does not return to where it began.
    """

    name: str
    mesh: TriMesh
    landmarks: Mapping[str, Int[np.ndarray, " _"]] = field(default_factory=dict)
    mirror: Int[np.ndarray, " V"] | None = None
    regions: Mapping[str, Int[np.ndarray, " _"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {f"landmarks {name}": ids for name, ids in self.landmarks.items()}
        named |= {f"region {name}": ids for name, ids in self.regions.items()}
        if self.mirror is not None:
            named["mirror map"] = self.mirror
        problems = [
            f"{what} names vertex {int(ids.min() if ids.min() < 0 else ids.max()):,}"
            for what, ids in named.items()
            if len(ids) and (ids.min() < 0 or ids.max() >= self.vertex_count)
        ]
        if problems:
            found = "; ".join(problems)
            raise InputError(
                f"template {self.name}: {found}, but it has {self.vertex_count:,} vertices"
            )
        self._check_mirror()

    def _check_mirror(self) -> None:
        if self.mirror is None:
            return
        if len(self.mirror) != self.vertex_count:
            raise InputError(
                f"template {self.name}: the mirror map has {len(self.mirror):,} entries, "
                f"expected {self.vertex_count:,}"
            )
        if astray := int((self.mirror[self.mirror] != np.arange(self.vertex_count)).sum()):
            raise InputError(
                f"template {self.name}: the mirror map does not return {astray:,} vertices "
                "to themselves"
            )

    @property
    def vertex_count(self) -> int:
        """V."""
        return self.mesh.vertex_count

    @property
    def topology_hash(self) -> str:
        """Names the connectivity; meshes with the same hash correspond vertex by vertex."""
        return self.mesh.topology_hash

    def save(self, path: Path | str) -> None:
        """Write everything to one ``.npz`` file, whole or not at all.

        Raises:
            JobError: the file cannot be written.
        """
        write_npz(path, template_arrays(self))

    @classmethod
    def load(cls, path: Path | str) -> "Template":
        """Read a file that ``save`` wrote.

        Raises:
            FileFormatError: the file is missing, damaged, or no template.
        """
        return template_from_arrays(read_npz(path), where=str(path))


def template_arrays(template: Template) -> dict[str, np.ndarray]:
    """A template as plain named arrays."""
    arrays = {
        "format": np.array(f"{FORMAT} {VERSION}"),
        "name": np.array(template.name),
        "vertices": template.mesh.vertices,
        "faces": template.mesh.faces,
    }
    if template.mesh.uv is not None:
        arrays["uv"] = template.mesh.uv
    if template.mirror is not None:
        arrays["mirror"] = template.mirror
    arrays |= {f"landmarks.{name}": ids for name, ids in template.landmarks.items()}
    arrays |= {f"regions.{name}": ids for name, ids in template.regions.items()}
    return arrays


def template_from_arrays(arrays: Mapping[str, np.ndarray], where: str) -> Template:
    """The template of ``template_arrays``; ``where`` begins the messages.

    Raises:
        FileFormatError: the arrays are no template.
    """
    if not {"format", "name", "vertices", "faces"} <= set(arrays):
        raise FileFormatError(f"{where}: not a template (no {FORMAT} format mark)")
    form, _, version = str(arrays["format"]).partition(" ")
    if form != FORMAT or version != str(VERSION):
        raise FileFormatError(
            f'{where}: format "{arrays["format"]}", expected "{FORMAT} {VERSION}"; '
            "build it again (meshgan template build)"
        )
    try:
        _check_types(arrays)
        mesh = TriMesh(arrays["vertices"], arrays["faces"], arrays.get("uv"))
        return Template(
            name=str(arrays["name"]),
            mesh=mesh,
            landmarks=_named(arrays, "landmarks."),
            mirror=arrays.get("mirror"),
            regions=_named(arrays, "regions."),
        )
    except MeshGANError as error:
        raise FileFormatError(f"{where}: {error}") from error


def _named(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _check_types(arrays: Mapping[str, np.ndarray]) -> None:
    """A file is outside input: every array must be of the kind and shape that its name says."""
    positions = {"vertices": 3, "uv": 2}
    for name, array in arrays.items():
        if name in positions:
            good = array.dtype.kind == "f" and array.shape[1:] == (positions[name],)
            wanted = f"numbers of shape (n, {positions[name]})"
        elif name == "faces":
            good = array.dtype.kind == "i" and array.shape[1:] == (3,)
            wanted = "integers of shape (n, 3)"
        elif name == "mirror" or name.startswith(("landmarks.", "regions.")):
            good = array.dtype.kind == "i" and array.ndim == 1
            wanted = "a row of integers"
        else:
            continue
        if not good:
            raise FileFormatError(
                f'"{name}" has type {array.dtype} and shape {array.shape}, expected {wanted}'
            )
        if name in ("uv", "mirror") and len(array) != len(arrays["vertices"]):
            count = len(arrays["vertices"])
            raise FileFormatError(
                f'"{name}" has {len(array):,} rows, but there are {count:,} vertices'
            )
