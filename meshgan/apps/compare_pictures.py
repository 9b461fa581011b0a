"""The pictures of a comparison: all models in one sheet, charts of what tables cannot show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.apps.measures import BY_VERTEX
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import MeshModel
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.plots import bar_chart, line_chart
from meshgan.pictures.render import render_displacements, render_faces
from meshgan.pictures.sheet import Sheet, colour_legend
from meshgan.seeding import torch_generator

Models = Mapping[str, MeshModel]
SIZE_PX = 150
PERSONS = 2


def random_faces(models: Models, colour: Float[np.ndarray, "V 3"] | None, count: int = 8) -> Sheet:
    """Random faces of each model, one row each, all at one scale."""
    drawn = {name: _random(model, count) for name, model in models.items()}
    frame = _common_frame(list(drawn.values()))
    faces = next(iter(models.values())).faces.cpu()
    return Sheet(
        [list(_draw(meshes, faces, colour, frame)) for meshes in drawn.values()],
        "Random faces",
        list(drawn),
        subtitle="Every code is drawn at random.",
    )


def labelled_expressions(
    models: Models, colour: Float[np.ndarray, "V 3"] | None, factor: str = "expression"
) -> Sheet | None:
    """Two random people of each model with the code of every label; None without the factor."""
    able = {name: model for name, model in models.items() if factor in model.factors}
    if not able:
        return None
    labels = list(dict.fromkeys(label for m in able.values() for label in m.factors[factor]))[:9]
    drawn = {name: _with_labels(model, factor, labels) for name, model in able.items()}
    frame = _common_frame([meshes.flatten(0, 1) for meshes in drawn.values()])
    faces = next(iter(able.values())).faces.cpu()
    rows, names = [], []
    for name, meshes in drawn.items():
        for person, row in enumerate(meshes):
            rows.append(list(_draw(row, faces, colour, frame)))
            names.append(name if person == 0 else "")
    return Sheet(
        rows,
        f"Every {factor}",
        names,
        labels,
        f"Two random people of each model; a column has the {factor} code of its label.",
    )


def charts(result: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Charts by name: title and picture."""
    found = {}
    rows = result["rows"]
    curves = {
        row["title"]: row["details"]["companions"]["compactness"]
        for row in rows
        if "companions" in row.get("details", {})
    }
    training = result["data"]["training"]["details"].get("companions")
    if curves and training:
        lines = {"training data": training["compactness"], **curves}
        found["compactness"] = (
            "Compactness",
            line_chart(
                {name: (np.arange(1, len(y) + 1), 100 * np.array(y)) for name, y in lines.items()},
                x_label="principal directions",
                y_label="share of the variance (%)",
            ),
        )
    for name, title, unit, category in (
        (
            "reconstruction",
            "Error from sparse landmarks",
            "surface RMSE (mm)",
            "lambda, the weight of the codes' prior",
        ),
        ("transfer", "Error of expression transfer by region", "mean vertex error (mm)", ""),
    ):
        bars = _bars(rows, f"{name}_")
        if name == "transfer":
            bars |= _limits(result["data"]["fresh"])
        if bars:
            found[name] = (title, bar_chart(bars, "", unit, category, (11.0, 3.8)))
    return found


def transfer_map(result: Mapping[str, Any], template: TriMesh) -> Sheet | None:
    """Where on the face expression transfer errs, one face per model; None if nobody knows.

    Args:
        result: of ``apps.compare.compare``.
        template: the surface that is coloured.
    """
    rows = {row["title"]: row for row in result["rows"]}
    rows["true displacement of another person"] = result["data"]["fresh"]
    errors = {
        title: np.asarray(row["details"]["transfer"][BY_VERTEX], dtype=np.float32)
        for title, row in rows.items()
        if BY_VERTEX in row.get("details", {}).get("transfer", {})
    }
    if not errors:
        return None
    largest = max(0.1, float(np.quantile(np.concatenate(list(errors.values())), 0.98).round(1)))
    vertices = np.repeat(template.vertices[None], len(errors), axis=0)
    moved = vertices.copy()
    moved[..., 2] += np.stack(list(errors.values()))  # as far away as the error is large
    pictures = render_displacements(moved, vertices, template.faces, largest, SIZE_PX)
    return Sheet(
        [list(pictures)],
        "Where transfer errs",
        (),
        list(errors),
        "Mean error of each vertex when an expression is brought to another person.",
        colour_legend(largest, "mean error"),
    )


def _limits(fresh: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What adding displacements does even where they are known, and cannot do at all."""
    titles = {
        "transfer_": "true displacement of another person",
        "interaction_": "what no additive model can show",
    }
    limits = {
        title: {
            key.removeprefix(prefix): value
            for key, value in fresh.items()
            if key.startswith(prefix) and isinstance(value, float)
        }
        for prefix, title in titles.items()
    }
    return {title: values for title, values in limits.items() if values}


def _bars(rows: Sequence[Mapping[str, Any]], prefix: str) -> dict[str, dict[str, float]]:
    bars = {
        row["title"]: {
            key.removeprefix(prefix): value
            for key, value in row.items()
            if key.startswith(prefix) and isinstance(value, float)
        }
        for row in rows
        if row["group"] != "ablation"
    }
    return {title: values for title, values in bars.items() if values}


@torch.no_grad()
def _random(model: MeshModel, count: int) -> Float[Tensor, "B V 3"]:
    return model.decode(model.sample_codes(count, torch_generator(0, "compared faces"))).cpu()


@torch.no_grad()
def _with_labels(model: MeshModel, factor: str, labels: Sequence[str]) -> Float[Tensor, "P K V 3"]:
    """People (rows) with the code of each label; a label that the model lacks stays random."""
    people = model.sample_codes(PERSONS, torch_generator(0, "compared people"))
    rows = []
    for person in range(PERSONS):
        codes = {name: code[person : person + 1] for name, code in people.items()}
        codes = {name: code.repeat(len(labels), 1) for name, code in codes.items()}
        table, known = model.label_codes(factor), list(model.factors[factor])
        for column, label in enumerate(labels):
            if label in known:
                codes[factor][column] = table[known.index(label)].to(codes[factor])
        rows.append(model.decode(codes).cpu())
    return torch.stack(rows)


def _common_frame(sets: Sequence[Float[Tensor, "_ V 3"]]) -> Frame:
    return frame_faces(torch.cat(list(sets)), 14.0, margin=0.01)


def _draw(vertices: Tensor, faces: Tensor, colour: np.ndarray | None, frame: Frame) -> np.ndarray:
    pictures = render_faces(vertices.float(), faces, SIZE_PX, colour=colour, box=frame)
    spare = SIZE_PX // 7
    return pictures[:, :, spare : SIZE_PX - spare]
