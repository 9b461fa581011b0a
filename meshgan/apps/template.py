"""``meshgan template``: the default templates, and templates made from a mesh."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from meshgan.apps.template_sheet import draw_template
from meshgan.data.area import choose_area
from meshgan.data.landmarks import read_landmarks
from meshgan.data.mesh_io import read_mesh
from meshgan.data.npz import read_npz
from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.recipe import RESOLUTIONS
from meshgan.data.template import FORMAT, Template
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.parameterize import Method, parameterize
from meshgan.geometry.symmetry import find_mirror
from meshgan.pictures.sheet import save_png

log = logging.getLogger(__name__)
NAMES = (*RESOLUTIONS, *RESOLUTIONS.values())
TEMPLATE_FILE = "template.npz"


def show_template(what: str, out: Path | str | None = None) -> dict[str, Any]:
    """Say what a template holds, and draw it.

    Args:
        what: "anny_low" or "anny_paper", a template file, a RUN or DATA folder, or a mesh file.
        out: PNG file for a picture of landmarks, mirror map, regions and UV map; none if None.

    Returns:
        What ``--json`` prints: name, vertices, faces, landmarks and regions (counts by name),
        whether it is symmetric and has UVs, its topology hash.

    Raises:
        InputError: there is no such template or file, or ``out`` is no PNG file.
    """
    if out is not None and Path(out).suffix != ".png":
        raise InputError(f"{out}: expected a name that ends in .png")
    template = find_template(what)
    summary = describe_template(template)
    if out is not None:
        save_png(draw_template(template), out)
        summary["picture"] = str(out)
    return summary


def build_template(
    what: str,
    out: Path | str,
    landmarks: Path | str | None = None,
    method: Method = "harmonic",
    area: str = "all",
) -> dict[str, Any]:
    """Write a template file, and its picture beside it.

    Args:
        what: as for ``show_template``. From a mesh, the UV map is made and the left-right map
            found, if the mesh is symmetric.
        out: NPZ file to write; the picture takes its name with ``.png``.
        landmarks: TOML file of landmark sets to take instead of the template's own.
        method: how the UV map of a mesh is made.
        area: part of the mesh to take, for example "largest_piece" of a head with eyeballs, or
            "face", its front (``data.area.choose_area``).

    Returns:
        As ``show_template``, with ``file``, ``picture`` and ``messages`` about the area.

    Raises:
        InputError: ``what`` cannot be read or is no disk, the landmarks do not fit it, or ``out``
            is no NPZ file.
    """
    out = Path(out)
    if out.suffix != ".npz":
        raise InputError(f"{out}: expected a name that ends in .npz")
    template = open_template(what)
    if landmarks is not None:
        template = _with_landmarks(template, Path(landmarks))
    chosen = choose_area(template, area)
    for message in chosen.messages:
        log.warning("%s", message)
    template = with_uv(chosen.template, method)
    template.save(out)
    picture = out.with_suffix(".png")
    save_png(draw_template(template), picture)
    files = {"file": str(out), "picture": str(picture)}
    return {**describe_template(template), **files, "messages": list(chosen.messages)}


def describe_template(template: Template) -> dict[str, Any]:
    """Counts and properties of a template as plain values."""
    return {
        "name": template.name,
        "vertices": template.vertex_count,
        "faces": template.mesh.face_count,
        "landmarks": {name: len(ids) for name, ids in template.landmarks.items()},
        "regions": {name: len(ids) for name, ids in template.regions.items()},
        "symmetric": template.mirror is not None,
        "uv": template.mesh.uv is not None,
        "topology": template.topology_hash,
    }


def find_template(what: str, method: Method = "harmonic") -> Template:
    """The template of a name, a file or a folder; made from a mesh file, with a UV map.

    Raises:
        InputError: nothing of that name is there, it cannot be read, or it is a mesh that cannot
            be laid out in the square.
    """
    template, from_mesh = _open(what)
    return with_uv(template, method) if from_mesh else template


def with_uv(template: Template, method: Method = "harmonic") -> Template:
    """The template with a UV map: its own, or else one made as the method says.

    Raises:
        InputError: the mesh cannot be laid out in the square.
    """
    if template.mesh.uv is not None:
        return template
    uv = parameterize(template.mesh, method, mirror=template.mirror).uv
    return replace(template, mesh=replace(template.mesh, uv=uv))


def open_template(what: str) -> Template:
    """As ``find_template``, but a mesh file is taken as it is, without a UV map.

    Raises:
        InputError: nothing of that name is there, or it cannot be read.
    """
    return _open(what)[0]


def _open(what: str) -> tuple[Template, bool]:
    """A template, and whether it was made from a bare mesh."""
    if what in NAMES:
        return open_source(what).template, False
    path = Path(what)
    if path.is_dir() and (path / TEMPLATE_FILE).is_file():
        return Template.load(path / TEMPLATE_FILE), False
    if not path.is_file():
        raise InputError(
            f"{what}: no such template, file or folder with a {TEMPLATE_FILE}; the templates are "
            f"{', '.join(RESOLUTIONS.values())}"
        )
    if path.suffix == ".npz" and str(read_npz(path).get("format", "")).startswith(FORMAT):
        return Template.load(path), False
    mesh = read_mesh(path)
    mirror = find_mirror(mesh.vertices, mesh.faces)
    return Template(path.stem, TriMesh(mesh.vertices, mesh.faces), mirror=mirror), True


def _with_landmarks(template: Template, path: Path) -> Template:
    sets = read_landmarks(path)
    for item in sets.values():
        try:
            item.check(template.vertex_count)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    ids = {name: item.vertex_ids for name, item in sets.items()}
    return Template(template.name, template.mesh, ids, template.mirror, template.regions)
