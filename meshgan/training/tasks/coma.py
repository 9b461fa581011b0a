"""The convolutional mesh autoencoder as a task: reconstruct displacements from a person's shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from meshgan.data.dataset import MeshDataset
from meshgan.geometry.proximity import mean_vertex_distance
from meshgan.models.baselines.coma import ConvolutionalMeshAutoencoder
from meshgan.models.kinds import GENERATOR
from meshgan.models.whitening import label_means
from meshgan.training.task import Batch, Optimiser, Phase, Stream, Task, Terms
from meshgan.training.tasks.coma_config import StepConfig
from meshgan.training.tasks.decoupled_gan_batches import ResumableOrder
from meshgan.training.tasks.previews import people_by_label

ROWS_AT_ONCE = 64
FEW_ROWS = 512  # faces that are encoded for a preview


@dataclass(frozen=True, eq=False)
class PersonalFaces:
    """Faces of a data set as displacements from the shape of the person.

    Args:
        dataset: where they are read.
        samples: their numbers in ``dataset`` (N,).
        people: of each (N,), the row in ``shapes``.
        shapes: mean displacement from the template of each person (P, 3V), mm, float32.
        labels: of the expression factor (N,), -1 where unlabelled.
    """

    dataset: MeshDataset
    samples: Int[np.ndarray, " N"]
    people: Int[np.ndarray, " N"]
    shapes: Float[np.ndarray, "P W"]
    labels: Int[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.samples)

    def expressions(self, rows: Int[np.ndarray, " b"]) -> Float[Tensor, "b V 3"]:
        """Displacements (mm) from the person's shape, of some faces (0 to N - 1)."""
        moved = self.dataset.displacements(self.samples[rows])
        moved -= self.shapes[self.people[rows]].reshape(moved.shape)
        return torch.from_numpy(moved)

    def some(self, count: int) -> Int[np.ndarray, " b"]:
        """At most ``count`` rows from all over the data."""
        return np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64)


class ExpressionStream:
    """Batches of displacements from people's shapes.

    Args:
        faces: to draw from.
        order: gives row numbers, and remembers where it is.
    """

    def __init__(self, faces: PersonalFaces, order: ResumableOrder) -> None:
        self.faces, self.order = faces, order

    def next(self) -> Batch:
        """Displacements (B, V, 3), mm."""
        return {"expressions": self.faces.expressions(np.asarray(next(self.order)))}

    def state_dict(self) -> dict[str, Any]:
        return self.order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order.load_state_dict(state)


class ConvolutionalAutoencoding(Task):
    """Trains the autoencoder by the mean absolute error of coordinates, in mm.

    Args:
        model: with its linear space of people.
        stream: displacements of the training faces.
        step: optimiser.
        checked: faces whose reconstruction is measured, by what their score's name ends with.
        paint: colour of each vertex (V, 3), 0 to 1, for previews.

    Source: Ranjan et al. 2018, Sec. 4 (L1 loss).
    """

    def __init__(
        self,
        model: ConvolutionalMeshAutoencoder,
        stream: ExpressionStream,
        step: StepConfig,
        checked: Mapping[str, PersonalFaces] | None = None,
        paint: Float[np.ndarray, "V 3"] | None = None,
    ) -> None:
        self.model, self.stream, self.step = model, stream, step
        self.checked, self.paint = dict(checked or {}), paint

    def modules(self) -> dict[str, nn.Module]:
        return {GENERATOR: self.model}

    def streams(self) -> dict[str, Stream]:
        return {"main": self.stream}

    def optimisers(self) -> dict[str, Optimiser]:
        return {GENERATOR: Optimiser((GENERATOR,), self.step.optimiser)}

    def plan(self, iteration: int) -> Sequence[Phase]:
        return (Phase("autoencoder", (GENERATOR,)),)

    def loss(self, phase: str, batch: Batch, iteration: int, rng: torch.Generator) -> Terms:
        expressions = batch["expressions"]
        decoded = self.model.decode_expressions(self.model.encode_expressions(expressions))
        return {"reconstruction": (decoded.float() - expressions).abs().mean()}

    def validate(self, rng: torch.Generator) -> dict[str, float]:
        """Mean distance of the vertices (mm) of encoded and decoded faces to what they were.

        ``expression``: of the displacements alone. ``reconstruction``: of whole faces, whose
        people are the nearest of the linear space.
        """
        scores = {}
        for ending, faces in self.checked.items():
            missing = self._missing_of_people(faces)
            whole, moved = [], []
            for rows in _chunks(faces.some(256)):
                expressions = faces.expressions(rows)
                decoded = self._through(expressions)
                moved.append(mean_vertex_distance(decoded, expressions))
                target = expressions + missing[torch.from_numpy(faces.people[rows])]
                whole.append(mean_vertex_distance(decoded, target))
            scores[f"score/expression{ending}"] = float(torch.cat(moved).mean())
            scores[f"score/reconstruction{ending}"] = float(torch.cat(whole).mean())
        return scores

    def _through(self, expressions: Float[Tensor, "b V 3"]) -> Float[Tensor, "b V 3"]:
        given = expressions.to(self.model.mean.device)
        return self.model.decode_expressions(self.model.encode_expressions(given)).cpu()

    def _missing_of_people(self, faces: PersonalFaces) -> Float[Tensor, "P V 3"]:
        """What the linear space leaves of people's shapes."""
        shapes = torch.from_numpy(faces.shapes).unflatten(1, (-1, 3))
        codes = self.model.codes_of_people(shapes.to(self.model.mean.device))
        return shapes - self.model.person_displacements(codes).cpu()

    def preview(self, rng: torch.Generator) -> Image.Image | None:
        """Random people in rows; the labels of the second factor in columns."""
        self.standardise(FEW_ROWS)
        return people_by_label(self.model, rng, self.paint)

    @torch.no_grad()
    def standardise(self, count: int | None = None) -> None:
        """Whiten the codes by those of training faces, and give each label its mean code.

        Args:
            count: how many faces at most, and again as many of the labelled ones; all if None.
        """
        faces, whitening = self.stream.faces, self.model.whitening
        whitening.fit(self._codes(faces.some(count or len(faces))))
        labelled = np.flatnonzero(faces.labels >= 0)
        chosen = labelled[:: max(1, len(labelled) // (count or len(labelled)))]
        codes = whitening.standard(self._codes(chosen))
        table = self.model.label_codes(self.model.deep_factor)
        labels = torch.from_numpy(faces.labels[chosen]).to(codes.device)
        table.copy_(label_means(codes, labels, len(table))[0])

    def _codes(self, rows: Int[np.ndarray, " n"]) -> Float[Tensor, "n e"]:
        faces, device = self.stream.faces, self.model.mean.device
        return torch.cat(
            [
                self.model.encode_expressions(faces.expressions(part).to(device))
                for part in _chunks(rows)
            ]
        )


def _chunks(rows: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " _"]]:
    return np.array_split(rows, max(1, -(-len(rows) // ROWS_AT_ONCE)))
