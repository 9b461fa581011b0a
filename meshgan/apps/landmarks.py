"""``meshgan landmarks``: check lists of landmarks, carry sets to another topology."""

from pathlib import Path
from typing import Any

import numpy as np

from meshgan.apps.template import find_template
from meshgan.data.importers.landmark_files import read_lm3
from meshgan.data.landmark_check import check_landmark_order
from meshgan.data.landmark_orders import landmark_order, order_names
from meshgan.data.landmark_transfer import carry_landmarks
from meshgan.data.landmarks import LandmarkSet, read_landmarks, read_points, write_landmarks
from meshgan.data.mesh_io import READABLE_FORMATS, read_mesh
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh

_MESH_FILES = tuple(kind for kind in READABLE_FORMATS if kind != "npz")  # that is a template


def check_landmarks(
    file: Path | str, order: str | None = None, mesh: Path | str | None = None
) -> dict[str, Any]:
    """Check the landmarks of a file against the order they should have.

    Args:
        file: a point list, or a TOML file of sets together with their ``mesh``.
        order: its name; by default the only order with that many points, or a set's own name.
        mesh: of the sets of a TOML file.

    Returns:
        What ``--json`` prints: ``ok`` and ``problems``; points and order.

    Raises:
        InputError: no such order, or it cannot be told.
        FileFormatError: the file cannot be read.
    """
    path = Path(file)
    if path.suffix.lower() == ".toml":
        if mesh is None:
            raise InputError(f"{path}: holds places on a mesh; give it with --mesh")
        vertices = read_mesh(mesh).vertices
        lists = {name: item.points(vertices) for name, item in read_landmarks(path).items()}
        if order is not None:
            lists = {order: lists[_the_one(path, order, lists)]}
        lists = {name: points for name, points in lists.items() if name in order_names()}
        if not lists:
            raise InputError(f"{path}: no set bears the name of an order; give --order")
    elif path.suffix.lower() == ".lm3":  # its points bear names, and some are missing
        measured = read_lm3(path)
        lists = {order or measured.order: measured.points}
    else:
        points = read_points(path)
        lists = {order or order_of(path, len(points)): points}
    problems = [
        f"{path}: {problem}" if len(lists) == 1 else f"{path}, {name}: {problem}"
        for name, points in lists.items()
        for problem in check_landmark_order(points, name)
    ]
    return {
        "ok": not problems,
        "file": str(path),
        "points": {name: len(points) for name, points in lists.items()},
        "problems": problems,
    }


def carry_sets(
    source: str,
    target: Path | str,
    out: Path | str,
    *,
    landmarks: Path | str | None = None,
    registered: Path | str | None = None,
    max_distance_mm: float = 10.0,
) -> dict[str, Any]:
    """Carry landmark sets from one topology to another that lies on it.

    Args:
        source: template whose sets are carried (a name, or a file), or a mesh with ``landmarks``.
        target: mesh of the other topology, mm.
        out: TOML file to write.
        landmarks: sets of ``source``, instead of its own.
        registered: mesh of the source's topology that lies on the target; by default the source
            itself is there already.
        max_distance_mm: how far a landmark may have to go.

    Returns:
        What ``--json`` prints: the sets with their number of landmarks and the file.

    Raises:
        InputError: there are no sets, the meshes differ in topology, or do not lie on each other.
    """
    mesh, own = _source(source, landmarks is not None)
    sets = own if landmarks is None else list(read_landmarks(landmarks).values())
    if not sets:
        raise InputError(f"{source}: has no landmarks; give a file of sets with --landmarks")
    if registered is not None:
        found = read_mesh(registered)
        if found.vertex_count != mesh.vertex_count:
            raise InputError(
                f"{registered}: {found.vertex_count:,} vertices, but {source} has "
                f"{mesh.vertex_count:,}; give {source} as it was fitted to the target"
            )
        mesh = TriMesh(found.vertices, mesh.faces)
    carried = carry_landmarks(sets, mesh, read_mesh(target), max_distance_mm)
    write_landmarks(out, carried)
    return {
        "landmarks": str(out),
        "sets": {item.name: item.count for item in carried},
        "target": str(target),
    }


def _source(source: str, only_mesh: bool) -> tuple[TriMesh, list[LandmarkSet]]:
    """The mesh of a template or a file, and the sets it has of its own."""
    if only_mesh and Path(source).suffix[1:].lower() in _MESH_FILES:
        return read_mesh(source), []
    template = find_template(source)
    return template.mesh, [
        LandmarkSet.at_vertices(name, np.asarray(ids), _labels(name, len(ids)))
        for name, ids in template.landmarks.items()
    ]


def _labels(name: str, count: int) -> tuple[str, ...]:
    labels = landmark_order(name).labels if name in order_names() else ()
    return labels if len(labels) == count else ()


def _the_one(path: Path, order: str, lists: dict[str, np.ndarray]) -> str:
    """Which of the sets of a file is meant to have this order."""
    if order in lists:
        return order
    if len(lists) == 1:
        return next(iter(lists))
    raise InputError(f"{path}: has no set {order!r}; it has {', '.join(lists)}")


def order_of(path: Path, count: int) -> str:
    """The only order with that many points.

    Raises:
        InputError: there is none, or more than one.
    """
    fitting = [name for name in order_names() if landmark_order(name).count == count]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(f"{name} ({landmark_order(name).count})" for name in order_names())
    raise InputError(f"{path}: {count} points; give their order with --order: {known}")
