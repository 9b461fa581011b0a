"""Take a model, a face or a sequence to other programs: one plain function per kind of file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshgan.apps.export_page import write_page
from meshgan.apps.face_model import FaceModel
from meshgan.data.code_files import read_codes
from meshgan.data.mesh_formats.morph_glb import write_morph_glb
from meshgan.data.mesh_formats.pc2 import PointCache, write_pc2
from meshgan.data.mesh_io import FORMATS, write_mesh
from meshgan.data.weight_files import ARKIT_NAMES
from meshgan.editing.arkit import ArkitFace, source_of
from meshgan.editing.head import hold_head, skull_weights
from meshgan.editing.morphs import (
    MorphTarget,
    at_rest,
    decoded,
    direction_targets,
    label_targets,
)
from meshgan.errors import InputError
from meshgan.files import atomic_folder
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import NOISE, PERSON, Codes
from meshgan.pictures.paint import paint_template

TARGETS = ("labels", "directions", "arkit")
DIRECTIONS = 5  # of each factor, in a GLB
PAGE_PEOPLE, PAGE_OTHERS = 40, 20  # directions in a page: most of what the model can show


def export_model(
    run: Path | FaceModel | None,
    out: Path,
    codes: Path | None = None,
    row: int | None = None,
    seed: int | None = None,
    labels: Mapping[str, str] | None = None,
    targets: Sequence[str] = ("labels", "directions"),
    directions: int | None = None,
    deviations: float = 2.0,
    sparse: bool = False,
    file_format: str = "obj",
) -> dict[str, Any]:
    """Write a model or its faces as what the suffix of ``out`` says.

    ``.glb``: a resting face with named morph targets. ``.html``: a page with sliders that needs
    nothing else. ``.pc2``: all faces of ``codes`` as a point cache, an OBJ beside it. A folder: all
    faces of ``codes`` as numbered meshes. Another mesh format: one face as it is.

    Args:
        run: RUN folder, or its model; None for the model that comes with the package.
        out: where to; existing files are replaced, folders must be new or empty.
        codes: faces of ``meshgan sample`` or ``fit`` (``.npz``); else ``seed``; else the mean.
        row: which of ``codes``, from 0; by default the first for one face, all for sequences.
        seed: a random person.
        labels: by factor a label whose code is taken instead.
        targets: of "labels", "directions" and "arkit" (the 52 actions, default faces only).
        directions: leading directions of each factor; 5, and for a page up to 40.
        deviations: how far weight 1 of a direction goes, in standard deviations.
        sparse: smaller GLB, which some small players do not read.
        file_format: of numbered meshes.

    Raises:
        InputError: another suffix, an unknown factor, label or kind of target, a row that
            is not there.
        FileFormatError: the RUN or the codes cannot be read.
    """
    kind = out.suffix[1:].lower()
    if kind not in (*FORMATS, "html", "pc2", ""):
        raise InputError(
            f"{out}: expected .glb (morph targets), .html (a page), .pc2, a folder, or one face as "
            f"{', '.join(name for name in FORMATS if name != 'glb')}"
        )
    model = run if isinstance(run, FaceModel) else FaceModel.load(run)
    chosen = choose_codes(model, codes, row, seed, labels or {})
    if kind in ("pc2", ""):
        vertices = decoded(model.model, chosen)
        return write_sequence(out, model.template.mesh, vertices, file_format)
    one = {name: code[:1] for name, code in chosen.items()}
    if kind in ("glb", "html"):
        rest = {**at_rest(model.model, one), **_label_codes(model, labels or {}, one)}
        face = model.template.mesh.with_vertices(decoded(model.model, rest)[0])
        many = kind == "html"
        found = morph_targets(model, rest, face, targets, directions, deviations, many)
        colours = paint_template(model.template)
        if many:
            write_page(out, face, found, deviations, colours)
        else:
            moves = {target.name: target.displacement for target in found}
            write_morph_glb(out, face, moves, sparse=sparse, colours=colours)
        return {**written([out], face), "morph_targets": [target.name for target in found]}
    face = model.template.mesh.with_vertices(decoded(model.model, one)[0])
    write_mesh(out, face)
    return {**written([out], face), "morph_targets": []}


def choose_codes(
    model: FaceModel,
    codes: Path | None,
    row: int | None,
    seed: int | None,
    labels: Mapping[str, str],
) -> Codes:
    """Codes of a file, of a seed, or of the mean face; the labels' codes in their place.

    Raises:
        InputError: both a file and a seed, a row that is not there, an unknown factor or label.
    """
    if codes is not None and seed is not None:
        raise InputError("codes and seed: both choose the face; give one of them")
    if codes is not None:
        chosen = read_codes(codes, model.model.code_sizes)
        count = len(next(iter(chosen.values())))
        if count == 0:
            raise InputError(f"{codes}: holds no face")
        if row is not None:
            if not 0 <= row < count:
                raise InputError(f"{codes}: row {row} asked for, it has 0 to {count - 1}")
            chosen = {name: code[row : row + 1] for name, code in chosen.items()}
    elif row is not None:
        raise InputError(f"row {row}: of which file? give the codes too")
    elif seed is not None:
        chosen = model.codes(1, seed)
    else:
        chosen = {name: torch.zeros(1, size) for name, size in model.model.code_sizes.items()}
    return {**chosen, **_label_codes(model, labels, chosen)}


def _label_codes(model: FaceModel, labels: Mapping[str, str], like: Codes) -> Codes:
    return {
        factor: model.label_code(factor, label).expand(len(like[factor]), -1).to(like[factor])
        for factor, label in labels.items()
    }


def morph_targets(
    model: FaceModel,
    rest: Codes,
    face: TriMesh,
    targets: Sequence[str],
    directions: int | None = None,
    deviations: float = 2.0,
    many: bool = False,
) -> list[MorphTarget]:
    """The targets of a resting face: labelled faces first, then directions, then ARKit's actions.

    Expressions leave the head where it is (``editing.head``).

    Raises:
        InputError: an unknown kind, or ARKit's actions on a template that does not have them.
    """
    if unknown := set(targets) - set(TARGETS):
        raise InputError(f"targets: {', '.join(sorted(unknown))}; expected {', '.join(TARGETS)}")
    found: list[MorphTarget] = []
    if "labels" in targets:
        found += label_targets(model.model, rest)
    if "directions" in targets:
        counts = {}
        for factor, size in model.model.code_sizes.items():
            usual = (PAGE_PEOPLE if factor == PERSON else PAGE_OTHERS) if many else DIRECTIONS
            if factor != NOISE:
                counts[factor] = min(size, usual if directions is None else directions)
        found += direction_targets(model.model, rest, counts, deviations)
    if "arkit" in targets:
        actions = ArkitFace(source_of(model.template), face.vertices)
        found += [
            MorphTarget(name, "arkit", shape)
            for name, shape in zip(ARKIT_NAMES, actions.shapes, strict=True)
            if name not in actions.absent
        ]
    if not found:
        raise InputError("targets: none left; the model has no labels but its people's")
    return _with_still_head(model, face, found)


def _with_still_head(
    model: FaceModel, face: TriMesh, targets: Sequence[MorphTarget]
) -> list[MorphTarget]:
    """Whoever it is, the head stays where it is while the face moves."""
    weights = skull_weights(model.template)
    moving = [k for k, target in enumerate(targets) if target.factor != PERSON]
    moves = [targets[k].displacement for k in moving]
    result = list(targets)
    if moving:
        held = hold_head(face.vertices + np.stack(moves), face.vertices, weights)
        for k, shown in zip(moving, held, strict=True):
            result[k] = replace(targets[k], displacement=shown - face.vertices)
    return result


def write_sequence(
    out: Path, mesh: TriMesh, vertices: Float[np.ndarray, "T V 3"], file_format: str = "obj"
) -> dict[str, Any]:
    """Write faces over time as ``.pc2`` with an OBJ beside it, or as meshes in a new folder."""
    first = mesh.with_vertices(vertices[0])
    if out.suffix.lower() == ".pc2":
        beside = out.with_suffix(".obj")
        write_mesh(beside, first)
        write_pc2(out, PointCache(np.asarray(vertices, np.float32)))
        return {**written([out, beside], first), "frames": len(vertices), "morph_targets": []}
    if file_format not in FORMATS:
        raise InputError(f"format {file_format}: expected one of {', '.join(FORMATS)}")
    digits = max(4, len(str(len(vertices) - 1)))
    names = [f"face_{k:0{digits}d}.{file_format}" for k in range(len(vertices))]
    with atomic_folder(out) as folder:
        for name, face in zip(names, vertices, strict=True):
            write_mesh(folder / name, mesh.with_vertices(face))
    files = [out / name for name in names]
    return {**written(files, first), "frames": len(vertices), "morph_targets": []}


def written(files: Sequence[Path], mesh: TriMesh) -> dict[str, Any]:
    """What the commands say of files: names, size, vertices."""
    return {
        "files": [str(path) for path in files],
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 3),
        "vertices": mesh.vertex_count,
    }
