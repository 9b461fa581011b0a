"""The multilinear autoencoder as a task: reconstruct faces, with codes that agree per label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from meshgan.geometry.proximity import mean_vertex_distance
from meshgan.models.baselines.mae import MultilinearAutoencoder
from meshgan.models.kinds import GENERATOR
from meshgan.models.whitening import label_means
from meshgan.training.task import Batch, Optimiser, Phase, Stream, Task, Terms
from meshgan.training.tasks.decoupled_gan_batches import ResumableOrder
from meshgan.training.tasks.mae_config import LossConfig, StepConfig
from meshgan.training.tasks.previews import people_by_label

CENTRES = "centres"
ROWS_AT_ONCE = 256


class CodedImageStream:
    """Batches of geometry images, the faces' coordinates in the basis, and labels.

    Args:
        images: displacement images (N, 3, n, n) in mm, in memory or memory-mapped.
        coefficients: coordinates in the basis (N, r), mm.
        labels: by factor (N,), -1 where unlabelled.
        order: gives row numbers, and remembers where it is.
    """

    def __init__(
        self,
        images: np.ndarray,
        coefficients: Float[np.ndarray, "N r"],
        labels: Mapping[str, Int[np.ndarray, " N"]],
        order: ResumableOrder,
    ) -> None:
        self.images, self.order = images, order
        self.coefficients = torch.from_numpy(np.asarray(coefficients, dtype=np.float32))
        self.labels = {name: torch.from_numpy(np.asarray(rows)) for name, rows in labels.items()}

    def next(self) -> Batch:
        """Images (B, 3, n, n), coefficients (B, r) and labels (B,) by factor."""
        rows = np.asarray(next(self.order))
        index = torch.from_numpy(rows)
        return {
            "images": self.images_of(rows),
            "coefficients": self.coefficients[index],
            "labels": {name: labels[index] for name, labels in self.labels.items()},
        }

    def images_of(self, rows: Int[np.ndarray, " b"]) -> Float[Tensor, "b 3 n n"]:
        """Images of some faces."""
        return torch.from_numpy(np.asarray(self.images[rows], dtype=np.float32))

    def state_dict(self) -> dict[str, Any]:
        return self.order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order.load_state_dict(state)


@dataclass(frozen=True, eq=False)
class ImagedFaces:
    """Some faces as the encoder sees them, and as they are.

    Args:
        images: (n, 3, p, p), mm.
        displacements: from the template (n, V, 3), mm.
    """

    images: Float[Tensor, "n 3 p p"]
    displacements: Float[Tensor, "n V 3"]


class MultilinearAutoencoding(Task):
    """Trains encoder and core together.

    Two terms, both in mm^2: the mean squared distance of the vertices, measured in the basis; and
    by factor the spread of codes about their labels' centres over the spread of all codes, which
    no scaling of the codes can lower. The centres are learned with the rest.

    Args:
        model: with its start.
        stream: real faces.
        loss: weights.
        step: optimiser.
        checked: faces whose reconstruction is measured, by what their score's name ends with.
        paint: colour of each vertex (V, 3), 0 to 1, for previews.

    Source: Fernández Abrevaya et al. 2018, Sec. 4. Differs: there labelled codes are held at the
    values of the first decomposition; here at centres that move.
    """

    def __init__(
        self,
        model: MultilinearAutoencoder,
        stream: CodedImageStream,
        loss: LossConfig,
        step: StepConfig,
        checked: Mapping[str, ImagedFaces] | None = None,
        paint: Float[np.ndarray, "V 3"] | None = None,
    ) -> None:
        self.model, self.stream, self.weights, self.step = model, stream, loss, step
        self.checked, self.paint = dict(checked or {}), paint
        self.centres = nn.ParameterDict(
            {name: nn.Parameter(model.label_codes(name).clone()) for name in model.factors}
        )

    def modules(self) -> dict[str, nn.Module]:
        return {GENERATOR: self.model, CENTRES: self.centres}

    def streams(self) -> dict[str, Stream]:
        return {"main": self.stream}

    def optimisers(self) -> dict[str, Optimiser]:
        return {GENERATOR: Optimiser((GENERATOR, CENTRES), self.step.optimiser)}

    def plan(self, iteration: int) -> Sequence[Phase]:
        return (Phase("autoencoder", (GENERATOR,)),)

    def loss(self, phase: str, batch: Batch, iteration: int, rng: torch.Generator) -> Terms:
        raw = self.model.split(self.model.encoder(batch["images"]))
        missed = self.model.coefficients(raw).float() - batch["coefficients"]
        terms = {"reconstruction": missed.square().sum() / (len(missed) * self.model.vertex_count)}
        rise = min(1.0, iteration / self.weights.agreement_rise)
        for name, codes in raw.items():
            term = spread_within_labels(codes.float(), batch["labels"][name], self.centres[name])
            terms[name] = rise * self.weights.agreement * term
        return terms

    def validate(self, rng: torch.Generator) -> dict[str, float]:
        """Mean distance of the vertices (mm) of encoded and decoded faces to what they were."""
        device = self.model.mean.device
        scores = {}
        for ending, faces in self.checked.items():
            raw = self.model.split(self.model.encoder(faces.images.to(device)))
            decoded = self.model.displacements(self.model.coefficients(raw)).cpu()
            distance = mean_vertex_distance(decoded, faces.displacements).mean()
            scores[f"score/reconstruction{ending}"] = float(distance)
        return scores

    def preview(self, rng: torch.Generator) -> Image.Image | None:
        """Random people in rows; the labels of the second factor in columns."""
        self.standardise()
        return people_by_label(self.model, rng, self.paint)

    @torch.no_grad()
    def standardise(self) -> None:
        """Whiten the codes by those of all training faces, and give each label its mean code."""
        stream, device = self.stream, self.model.mean.device
        every = np.array_split(
            np.arange(len(stream.images)), -(-len(stream.images) // ROWS_AT_ONCE)
        )
        raw = self.model.split(
            torch.cat([self.model.encoder(stream.images_of(rows).to(device)) for rows in every])
        )
        for name, codes in raw.items():
            self.model.whitening(name).fit(codes)
            standard = self.model.whitening(name).standard(codes)
            table = self.model.label_codes(name)
            means, _ = label_means(standard, stream.labels[name].to(device), len(table))
            table.copy_(means)


def spread_within_labels(
    codes: Float[Tensor, "B d"], labels: Int[Tensor, " B"], centres: Float[Tensor, "K d"]
) -> Float[Tensor, ""]:
    """Mean squared distance of labelled codes to their centres over that of all to their mean."""
    labelled = labels >= 0
    if not bool(labelled.any()):
        return codes.sum() * 0
    within = (codes[labelled] - centres[labels[labelled]]).square().sum(dim=1).mean()
    return within / codes.var(dim=0, correction=0).sum().clamp_min(1e-12)
