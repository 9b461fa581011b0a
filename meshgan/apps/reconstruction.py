"""Sparse reconstruction of a data set's unseen people, and the sheet that shows it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from meshgan.apps.oracle_source import default_source
from meshgan.data.dataset import MeshDataset
from meshgan.data.store import Store
from meshgan.data.synthetic.extreme import BLENDS, EXTREME, extreme_faces
from meshgan.data.synthetic.plan import FRESH_PEOPLE
from meshgan.data.synthetic.source import FaceSource
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.evaluation.reconstruction import (
    LAMBDAS,
    RESTARTS,
    Reconstruction,
    sparse_reconstruction,
)
from meshgan.fitting.codes import SolverName
from meshgan.models.base import MeshModel
from meshgan.pictures.camera import frame_faces
from meshgan.pictures.paint import paint_template
from meshgan.pictures.render import render_displacements, render_faces
from meshgan.pictures.sheet import Sheet, colour_legend

log = logging.getLogger(__name__)

LANDMARKS = "fit85"
PEOPLE, FACES = 12, 144
RECONSTRUCTED = FRESH_PEOPLE + 400_000  # people that no data set and no other metric has


@dataclass(frozen=True, eq=False)
class Targets:
    """Faces to be reconstructed.

    ``vertices`` (B, V, 3) float32, mm; ``people`` (B,): whose face each is; ``names``: what each
    shows; ``landmark_ids`` (L,): the vertices that are known; ``origin``: where they come from.
    """

    vertices: Float[Tensor, "B V 3"]
    people: Int[np.ndarray, " B"]
    names: tuple[str, ...]
    landmark_ids: Int[Tensor, " L"]
    origin: str


def reconstruction_targets(
    store: Store,
    seed: int = 0,
    people: int = PEOPLE,
    faces: int = FACES,
    landmarks: str = LANDMARKS,
) -> Targets:
    """Extreme expressions of people that no model of this data set has seen.

    For the default faces they are made: fresh people in expressions that no data set holds. For
    other data they are the test people's faces that are farthest from their own mean.

    Args:
        store: the data set of the models.
        seed: of fresh people.
        people: how many of them.
        faces: how many in all, spread over the people.
        landmarks: name of a landmark set of the template.

    Raises:
        InputError: the template has no such landmarks, there are no test people, or the numbers
            leave somebody without a face.
    """
    template = store.template
    if landmarks not in template.landmarks:
        raise InputError(
            f'{store.path}: template {template.name} has no landmarks "{landmarks}"; it has '
            f"{', '.join(template.landmarks) or 'none'}"
        )
    if not 1 <= people <= faces:
        raise InputError(f"reconstruction: {faces} faces of {people} people; one each at least")
    ids = torch.from_numpy(np.asarray(template.landmarks[landmarks], dtype=np.int64))
    if not template.name.startswith("anny_"):
        return _most_expressive(store, people, faces, ids)
    source = default_source(template.name, template.topology_hash)
    assert isinstance(source, FaceSource)
    each = min(len(EXTREME), -(-faces // people))
    shown = extreme_faces(
        source, range(RECONSTRUCTED, RECONSTRUCTED + people), seed, tuple(EXTREME)[:each]
    )
    return Targets(
        torch.from_numpy(shown.vertices[:faces]),
        shown.subject[:faces],
        shown.names[:faces],
        ids,
        f"{people} fresh people of the default faces in {each} expressions that no data set holds",
    )


def reconstruct(
    models: Mapping[str, MeshModel],
    targets: Targets,
    lambdas: Sequence[float] = LAMBDAS,
    seed: int = 0,
    restarts: int = RESTARTS,
    iterations: int | None = None,
    solver: SolverName = "lm",
) -> dict[str, dict[float, Reconstruction]]:
    """``sparse_reconstruction`` of several models on the same targets, all by the same steps."""
    found = {}
    for name, model in models.items():
        log.info("reconstructing %d faces with %s", len(targets.vertices), name)
        found[name] = sparse_reconstruction(
            model,
            targets.vertices,
            targets.landmark_ids,
            lambdas,
            targets.people,
            seed,
            restarts,
            iterations,
            solver,
        )
    return found


def reconstruction_table(
    results: Mapping[str, Mapping[float, Reconstruction]], targets: Targets
) -> dict[str, Any]:
    """Plain numbers: by model and lambda the RMSE in mm, its interval, and by group of faces.

    Keys of a model: the lambda as a word. ``groups``: where the faces are default ones,
    ``blends`` of learned emotions apart from ``unseen`` movements.
    """
    blend = np.array([name in BLENDS for name in targets.names])
    groups = {"blends": blend, "unseen": ~blend} if 0 < blend.sum() < len(blend) else {}
    table: dict[str, Any] = {
        "faces": len(targets.vertices),
        "people": len(np.unique(targets.people)),
        "landmarks": len(targets.landmark_ids),
        "origin": targets.origin,
        "unit": "mm, root mean square over the vertices of a face, mean over faces",
    }
    table["models"] = {
        name: {
            f"{value:g}": {
                "rmse": result.estimate.mean,
                "standard_error": result.estimate.standard_error,
                "interval": list(result.interval),
                "landmark_rmse": float(result.landmark_mm.mean()),
                "converged": result.converged,
                "groups": {
                    group: float(result.surface_mm.numpy()[rows].mean())
                    for group, rows in groups.items()
                },
            }
            for value, result in by_lambda.items()
        }
        for name, by_lambda in results.items()
    }
    return table


def reconstruction_sheet(
    models: Mapping[str, MeshModel],
    results: Mapping[str, Mapping[float, Reconstruction]],
    targets: Targets,
    template: Template,
    faces: int = 5,
    size_px: int = 150,
    lambdas: Sequence[float] | None = None,
) -> Sheet:
    """The truth, then each model's reconstruction at each lambda beside its error in colour.

    Args:
        models: by name.
        results: by name and lambda, of ``reconstruct``.
        targets: what was reconstructed.
        template: for colours.
        faces: how many of the targets to show, spread over them.
        size_px: side of one picture.
        lambdas: which of them to show, all if None: two columns for each model and lambda.
    """
    count = len(targets.vertices)
    shown_faces = min(faces, count)
    chosen = torch.arange(shown_faces) * (count // shown_faces + 1) % count  # other expressions
    truth = targets.vertices[chosen]
    made = {
        (name, value): _decode(models[name], result, chosen)
        for name, by_lambda in results.items()
        for value, result in by_lambda.items()
        if lambdas is None or value in lambdas
    }
    distances = torch.cat([(shown - truth).norm(dim=-1) for shown in made.values()])
    most = max(1.0, float(np.quantile(distances.numpy(), 0.98).round()))
    colour, mesh = paint_template(template), template.mesh
    box = frame_faces(truth, 14.0)

    def draw(shown: Tensor) -> UInt8[np.ndarray, "B S S 3"]:
        return render_faces(shown, mesh.faces, size_px, colour=colour, box=box)

    columns, labels = [draw(truth)], ["truth"]
    for (name, value), shown in made.items():
        error = render_displacements(shown, truth, mesh.faces, most, size_px, box=box)
        mean = results[name][value].estimate.mean
        columns += [draw(shown), error]
        labels += [f"{name}\nlambda {value:g}", f"{mean:.2f} mm"]
    return Sheet(
        [list(row) for row in zip(*columns, strict=True)],
        f"Faces from {len(targets.landmark_ids)} landmarks",
        [targets.names[int(k)] for k in chosen],
        labels,
        f"{targets.origin}. Above each error: root mean square distance, mean over all "
        f"{len(targets.vertices)} faces.",
        colour_legend(most, "distance from the truth"),
    )


@torch.no_grad()
def _decode(
    model: MeshModel, result: Reconstruction, rows: Int[Tensor, " b"]
) -> Float[Tensor, "b V 3"]:
    device = model.template_vertices.device
    codes = {name: code[rows].to(device) for name, code in result.codes.items()}
    return model.decode(codes).float().cpu()


def _most_expressive(store: Store, people: int, faces: int, ids: Int[Tensor, " L"]) -> Targets:
    """Of each test person the faces with the largest mean distance from the person's own mean."""
    held_out = MeshDataset(store, split="test")
    each = -(-faces // people)
    present = np.unique(held_out.subject)[:people]
    chosen = []
    for person in present:
        mine = np.flatnonzero(held_out.subject == person)
        own = held_out.vertices(mine)
        distance = np.linalg.norm(own - own.mean(axis=0), axis=2).mean(axis=1)
        chosen.append(mine[np.argsort(-distance, kind="stable")[:each]])
    rows = np.concatenate(chosen)[:faces]
    return Targets(
        torch.from_numpy(held_out.vertices(rows)),
        held_out.subject[rows],
        tuple(store.subjects[person] for person in held_out.subject[rows]),
        ids,
        f"the most expressive faces of {len(present)} test people",
    )
