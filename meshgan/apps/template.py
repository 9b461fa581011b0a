"""``meshgan template``: the default templates, and templates made from a mesh."""

from pathlib import Path
from typing import Any

from meshgan.apps.template_sheet import draw_template
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
) -> dict[str, Any]:
    """Write a template file, and its picture beside it.

    Args:
        what: as for ``show_template``. From a mesh, the UV map is made and the left-right map
            found, if the mesh is symmetric.
        out: NPZ file to write; the picture takes its name with ``.png``.
        landmarks: TOML file of landmark sets to take instead of the template's own.
        method: how the UV map of a mesh is made.

    Returns:
        As ``show_template``, with ``file`` and ``picture``.

    Raises:
        InputError: ``what`` cannot be read or is no disk, the landmarks do not fit it, or ``out``
            is no NPZ file.
    """
    out = Path(out)
    if out.suffix != ".npz":
        raise InputError(f"{out}: expected a name that ends in .npz")
    template = find_template(what, method)
    if landmarks is not None:
        template = _with_landmarks(template, Path(landmarks))
    template.save(out)
    picture = out.with_suffix(".png")
    save_png(draw_template(template), picture)
    return {**describe_template(template), "file": str(out), "picture": str(picture)}


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
    """The template of a name, a file or a folder; made from a mesh file.

    Raises:
        InputError: nothing of that name is there, or it cannot be read.
    """
    if what in NAMES:
        return open_source(what).template
    path = Path(what)
    if path.is_dir() and (path / TEMPLATE_FILE).is_file():
        return Template.load(path / TEMPLATE_FILE)
    if not path.is_file():
        raise InputError(
            f"{what}: no such template, file or folder with a {TEMPLATE_FILE}; the templates are "
            f"{', '.join(RESOLUTIONS.values())}"
        )
    if path.suffix == ".npz" and str(read_npz(path).get("format", "")).startswith(FORMAT):
        return Template.load(path)
    return template_from_mesh(read_mesh(path), path.stem, method)


def template_from_mesh(mesh: TriMesh, name: str, method: Method = "harmonic") -> Template:
    """A template of a disk-shaped mesh: UV map as the method says, mirror map if symmetric.

    Raises:
        InputError: the mesh is no disk.
    """
    mirror = find_mirror(mesh.vertices, mesh.faces)
    uv = parameterize(mesh, method, mirror=mirror).uv
    return Template(name, TriMesh(mesh.vertices, mesh.faces, uv), mirror=mirror)


def _with_landmarks(template: Template, path: Path) -> Template:
    sets = read_landmarks(path)
    for item in sets.values():
        try:
            item.check(template.vertex_count)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    ids = {name: item.vertex_ids for name, item in sets.items()}
    return Template(template.name, template.mesh, ids, template.mirror, template.regions)
