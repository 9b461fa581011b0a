"""ARKit's weights out of faces and into them: for game engines, and for a model."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from meshgan.apps.export import choose_codes, write_sequence, written
from meshgan.apps.face_model import FaceModel
from meshgan.apps.register_files import find_jobs
from meshgan.data.code_files import read_codes, write_codes
from meshgan.data.mesh_formats.morph_glb import MorphAnimation, write_morph_glb
from meshgan.data.mesh_formats.pc2 import read_pc2
from meshgan.data.mesh_io import FORMATS, read_mesh, write_mesh
from meshgan.data.npz import read_npz
from meshgan.data.weight_files import ARKIT_NAMES, WeightTrack, read_weights, write_weights
from meshgan.editing.arkit import ArkitFace, source_of
from meshgan.editing.head import hold_head, skull_weights
from meshgan.editing.morphs import at_rest, decoded
from meshgan.errors import InputError
from meshgan.fitting.held import HeldCodes
from meshgan.fitting.meshes import fit_meshes
from meshgan.models.base import NOISE, PERSON, Codes
from meshgan.pictures.paint import paint_template

REGULARISATION = 10.0  # mm^2 over all vertices per squared unit of code
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Faces:
    """Faces with the person behind each: rows of ``person`` name rows of ``neutrals``."""

    vertices: Float[np.ndarray, "T V 3"]
    neutrals: Float[np.ndarray, "N V 3"]
    person: Int[np.ndarray, " T"]


def read_arkit(
    run: Path | FaceModel | None,
    faces: Sequence[Path],
    out: Path,
    neutral: Path | None = None,
    smoothness: float = 0.0,
    different: bool = False,
    fps: float = 30.0,
) -> dict[str, Any]:
    """Find the weights of ARKit's actions of faces, and write them.

    Args:
        run: RUN folder, or its model, on a template of the default faces; None for the model
            of the package.
        faces: registered meshes (files, folders), a point cache (``.pc2``) or codes (``.npz``).
        out: ``.csv`` or ``.json``.
        neutral: the person at rest, a mesh; without it, as the model sees them at rest.
        smoothness: of a sequence; see ``ArkitFace.weights_of``.
        different: each mesh is another person; else all are one. Codes say it themselves.
        fps: frames per second, for the file.

    Returns:
        ``frames``, ``people``, ``residual_mm`` (mean over faces of the RMS distance that the
        weights leave), ``strongest`` (mean weight by action), ``absent``.

    Raises:
        InputError: another topology, nothing to read, another suffix, settings out of range.
    """
    if out.suffix.lower() not in (".csv", ".json"):
        raise InputError(f"{out}: weights are written as .csv or .json")
    if not fps > 0:
        raise InputError(f"fps: {fps}, expected more than 0")
    model = run if isinstance(run, FaceModel) else FaceModel.load(run)
    source = source_of(model.template)
    found = _read_faces(model, faces, neutral, different)
    weights = np.zeros((len(found.vertices), len(ARKIT_NAMES)))
    residuals, absent = np.zeros(len(weights)), ()
    for person, rest in enumerate(found.neutrals):
        rows = np.flatnonzero(found.person == person)
        result = ArkitFace(source, rest).weights_of(found.vertices[rows], smoothness)
        weights[rows], residuals[rows], absent = result.weights, result.residual_mm, result.absent
    write_weights(out, WeightTrack(weights, fps))
    strongest = sorted(zip(weights.mean(axis=0).tolist(), ARKIT_NAMES, strict=True), reverse=True)
    return {
        "file": str(out),
        "frames": len(weights),
        "people": len(found.neutrals),
        "residual_mm": float(residuals.mean()),
        "strongest": {name: round(weight, 3) for weight, name in strongest[:6] if weight > 0},
        "absent": list(absent),
    }


def drive_arkit(
    run: Path | FaceModel | None,
    weights: Path,
    out: Path,
    codes: Path | None = None,
    row: int | None = None,
    seed: int | None = None,
    labels: dict[str, str] | None = None,
    neutral: Path | None = None,
    through_model: bool = False,
    fps: float | None = None,
    file_format: str = "obj",
) -> dict[str, Any]:
    """Move a person's face by weights of ARKit's actions, and write what the suffix says.

    ``.glb``: the resting face, the actions as morph targets, the weights as an animation. ``.pc2``
    or a folder: the faces. ``.npz``: codes of the model that show them. A mesh format: one face.

    Args:
        run: RUN folder, or its model, on a template of the default faces; None for the model
            of the package.
        weights: ``.csv`` or ``.json``.
        out: where to.
        codes: whose face: that of a file of codes,
        row: its row,
        seed: or a random person,
        labels: or a labelled one (``identity=person007``),
        neutral: or a registered mesh at rest.
        through_model: faces as the model can show them, instead of the default faces' rig.
        fps: frames per second; by default the file's.
        file_format: of numbered meshes.

    Returns:
        What was written; ``fit_rms_mm`` where the model was asked.

    Raises:
        InputError: another topology or suffix, several choices of a person.
    """
    kind = out.suffix[1:].lower()
    if kind not in (*FORMATS, "pc2", ""):
        raise InputError(f"{out}: expected .glb, .pc2, .npz (codes), a folder, or a mesh format")
    model = run if isinstance(run, FaceModel) else FaceModel.load(run)
    source = source_of(model.template)
    track = read_weights(weights, fps)
    if neutral is None:
        person = choose_codes(model, codes, row, seed, labels or {})
        person = at_rest(model.model, {name: code[:1] for name, code in person.items()})
        rest = decoded(model.model, person)[0]
    elif codes is not None or seed is not None or labels:
        raise InputError("neutral: a mesh is the person already; leave codes, seed and label")
    else:
        person, rest = None, _mesh(model, neutral)
    face = ArkitFace(source, rest)
    mesh = model.template.mesh.with_vertices(face.neutral)
    skull = skull_weights(model.template)
    said: dict[str, Any] = {"frames": len(track.weights), "actions": _used(track, face.absent)}
    if kind == "glb" and not through_model:
        moving = [k for k, name in enumerate(ARKIT_NAMES) if name not in face.absent]
        posed = hold_head(face.neutral + face.shapes[moving], face.neutral, skull)
        shapes = posed - face.neutral
        targets = {ARKIT_NAMES[k]: shape for k, shape in zip(moving, shapes, strict=True)}
        animation = MorphAnimation(track.times_s, track.weights[:, moving], "arkit")
        colours = paint_template(model.template)
        write_morph_glb(out, mesh, targets, animation=animation, colours=colours)
        return {**said, **written([out], mesh), "morph_targets": list(targets)}
    vertices = face.express(track.weights)
    if through_model or kind == "npz":
        driven, rms = _codes_of(model, vertices, person)
        said["fit_rms_mm"] = float(rms.mean())
        if kind == "npz":
            write_codes(out, driven)
            return {**said, "file": str(out)}
        vertices = decoded(model.model, driven)
    vertices = hold_head(vertices, face.neutral, skull)
    if kind in ("pc2", ""):
        return {**said, **write_sequence(out, mesh, vertices, file_format)}
    if len(vertices) > 1:
        raise InputError(
            f"{out}: one face, but {weights} has {len(vertices):,}; name a folder or a .pc2"
        )
    shown = mesh.with_vertices(vertices[0])
    write_mesh(out, shown)
    return {**said, **written([out], shown)}


def _used(track: WeightTrack, absent: Sequence[str]) -> dict[str, Any]:
    active = [name for k, name in enumerate(ARKIT_NAMES) if track.weights[:, k].any()]
    ignored = [name for name in active if name in absent]
    if ignored:
        log.warning("arkit: no movement of the default faces for %s", ", ".join(ignored))
    return {"used": len(active) - len(ignored), "without_movement": ignored}


def _codes_of(
    model: FaceModel, vertices: Float[np.ndarray, "T V 3"], person: Codes | None
) -> tuple[Codes, Float[np.ndarray, " T"]]:
    """Codes that show these faces, with a person's identity held, and the distance left, mm."""
    held = {}
    if person is not None:
        held = {name: person[name] for name in (PERSON, NOISE) if name in person}
    free = HeldCodes(model.model, held)
    target = torch.from_numpy(np.ascontiguousarray(vertices, np.float32)).to(model.device)
    found = free.whole(fit_meshes(free, target, REGULARISATION).codes)
    off = decoded(model.model, found) - vertices
    return found, np.sqrt((off**2).sum(axis=2).mean(axis=1))


def _read_faces(
    model: FaceModel, faces: Sequence[Path], neutral: Path | None, different: bool
) -> _Faces:
    if len(faces) == 1 and faces[0].suffix.lower() == ".npz" and _holds_codes(faces[0]):
        codes = read_codes(faces[0], model.model.code_sizes)
        vertices = decoded(model.model, codes)
        if neutral is None:
            return _of_codes(model, codes, vertices)
    elif len(faces) == 1 and faces[0].suffix.lower() == ".pc2":
        vertices = read_pc2(faces[0]).vertices
        _check(model, len(vertices[0]), faces[0])
    else:
        vertices = np.stack([_mesh(model, job.path) for job in find_jobs(faces)])
    if neutral is not None:
        rest = _mesh(model, neutral)[None]
        return _Faces(vertices, rest, np.zeros(len(vertices), np.int64))
    return _of_meshes(model, vertices, different)


def _of_codes(model: FaceModel, codes: Codes, vertices: np.ndarray) -> _Faces:
    """People with one identity code are one; each row rests on its own."""
    calm = {**at_rest(model.model, codes), **{k: v for k, v in codes.items() if k == NOISE}}
    resting = decoded(model.model, calm)
    key = codes[PERSON] if PERSON in codes else torch.zeros(len(vertices), 1)
    _, person = np.unique(key.numpy(), axis=0, return_inverse=True)
    person = person.reshape(-1)
    first = np.array([int(np.argmax(person == k)) for k in range(person.max() + 1)])
    moved = vertices - resting + resting[first][person]
    return _Faces(moved, resting[first], person)


def _of_meshes(model: FaceModel, vertices: np.ndarray, different: bool) -> _Faces:
    """How the model sees these people at rest; what it cannot show of them is not expression."""
    count = len(vertices)
    fit = model.fit_mesh(torch.from_numpy(vertices.astype(np.float32)), REGULARISATION)
    assert fit.poses is not None  # asked for
    posed = torch.from_numpy(vertices.astype(np.float32)).to(model.device)
    aligned = fit.poses.remove(posed).cpu().numpy()
    person = np.arange(count) if different else np.zeros(count, np.int64)
    shown = decoded(model.model, fit.codes)
    neutrals = []
    for k in range(person.max() + 1):
        rows = np.flatnonzero(person == k)
        own = {name: code[rows].mean(dim=0, keepdim=True) for name, code in fit.codes.items()}
        detail = (aligned[rows] - shown[rows]).mean(axis=0)
        neutrals.append(decoded(model.model, at_rest(model.model, own))[0] + detail)
    return _Faces(aligned, np.stack(neutrals), person)


def _holds_codes(path: Path) -> bool:
    return "vertices" not in read_npz(path)


def _mesh(model: FaceModel, path: Path) -> Float[np.ndarray, "V 3"]:
    mesh = read_mesh(path)
    if mesh.topology_hash != model.template.mesh.topology_hash:
        _check(model, mesh.vertex_count, path)
        raise InputError(
            f"{path}: as many vertices as the template, but other triangles; register it first "
            "(meshgan register)"
        )
    return mesh.vertices.astype(np.float32)


def _check(model: FaceModel, count: int, path: Path) -> None:
    if count != model.template.vertex_count:
        raise InputError(
            f"{path}: {count:,} vertices, the template {model.template.name} has "
            f"{model.template.vertex_count:,}; register it first (meshgan register)"
        )
