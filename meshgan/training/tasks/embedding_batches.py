"""What an embedding network is fed: labelled faces, as many of each label, varied a little."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.data.dataset import MeshDataset
from meshgan.errors import InputError
from meshgan.seeding import generator
from meshgan.training.task import Batch
from meshgan.training.tasks.embedding_config import VariationConfig

ALONE = 1 << 32  # group numbers of faces without a recording start here


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """The faces of a data set that have a label of one factor.

    Axis letters: N labelled faces, b of them, V vertices.

    Args:
        dataset: where they are read.
        factor: whose labels.
        samples: their numbers in ``dataset`` (N,).
        labels: of each (N,), an index into ``dataset.factors[factor]``.
        groups: of each (N,). Faces of one group are alike for reasons other than the label: two
            faces make a pair only across groups.
        by_person: whether a label says who it is.
    """

    dataset: MeshDataset
    factor: str
    samples: Int[np.ndarray, " N"]
    labels: Int[np.ndarray, " N"]
    groups: Int[np.ndarray, " N"]
    by_person: bool = False

    def __len__(self) -> int:
        return len(self.samples)

    @classmethod
    def of(cls, dataset: MeshDataset, factor: str) -> "LabelledFaces":
        """Find them. Where a label belongs to one person, groups are recordings, else people.

        So two faces of one identity come from different recordings, that is with other
        expressions, and two faces of one expression from different people.

        Raises:
            InputError: the data set has no such factor, or none or one of its labels occurs.
        """
        labels = dataset.labels(factor)
        samples = np.flatnonzero(labels >= 0)
        labels = labels[samples]
        found = [dataset.factors[factor][k] for k in np.unique(labels)]
        if len(found) < 2:
            raise InputError(
                f"{dataset.store.path}: part {dataset.split or 'all'!r} has "
                f"{f'one label of {factor} only ({found[0]})' if found else f'no {factor} label'}; "
                "an embedding needs two or more, label more faces or split the people anew"
            )
        people = dataset.subject[samples]
        owners = len(np.unique(np.stack([labels, people]), axis=1).T)
        by_person = owners == len(found)
        groups = _recordings(dataset, samples, labels) if by_person else people
        return cls(dataset, factor, samples, labels, groups, by_person)

    @property
    def people(self) -> int:
        """How many people they are of."""
        return len(np.unique(self.dataset.subject[self.samples]))

    def vertices(self, rows: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b V 3"]:
        """Positions of some of them (0 to N - 1), float32, mm."""
        return self.dataset.vertices(self.samples[rows])

    def some(self, count: int, rng: np.random.Generator) -> "LabelledFaces":
        """At most ``count`` of them, at random, in order."""
        if count >= len(self):
            return self
        return self._part(np.sort(rng.permutation(len(self))[:count]))

    def of_people(self, subjects: Int[np.ndarray, " _"]) -> "LabelledFaces":
        """Those of some people, by their number in the data set."""
        return self._part(np.flatnonzero(np.isin(self.dataset.subject[self.samples], subjects)))

    def _part(self, rows: np.ndarray) -> "LabelledFaces":
        return replace(
            self, samples=self.samples[rows], labels=self.labels[rows], groups=self.groups[rows]
        )


class BalancedFaces:
    """An endless stream of batches: P labels, K faces of each; batch k knows (seed, k) alone.

    The faces of one label come from different groups as far as there are enough.

    Args:
        faces: to draw from.
        labels: P; where the factor has fewer, all of them with more faces each.
        per_label: K.
        seed: names the stream.
    """

    def __init__(self, faces: LabelledFaces, labels: int, per_label: int, seed: int) -> None:
        self.faces, self.seed, self.position = faces, seed, 0
        self._present = np.unique(faces.labels)
        self.labels = min(labels, len(self._present))
        self.per_label = max(per_label, labels * per_label // self.labels)
        rows = np.arange(len(faces))
        self._members: Mapping[int, list[np.ndarray]] = {
            label: [
                rows[(faces.labels == label) & (faces.groups == group)]
                for group in np.unique(faces.groups[faces.labels == label])
            ]
            for label in self._present
        }

    def rows(self) -> Int[np.ndarray, " B"]:
        """Which faces the next batch holds, label by label."""
        rng = generator(self.seed, "balanced faces", self.position)
        chosen = rng.permutation(self._present)[: self.labels]
        return np.concatenate([self._draw(self._members[label], rng) for label in chosen])

    def next(self) -> Batch:
        """Vertices (B, V, 3), mm, and labels (B,)."""
        rows = self.rows()
        self.position += 1
        return {
            "vertices": torch.from_numpy(self.faces.vertices(rows)),
            "labels": torch.from_numpy(self.faces.labels[rows]),
        }

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position, "seed": self.seed, "count": len(self.faces)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if (state["seed"], state["count"]) != (self.seed, len(self.faces)):
            raise InputError(
                f"batches: the state is of {state['count']:,} faces and seed {state['seed']}, here "
                f"are {len(self.faces):,} and {self.seed}; resume with the same data and settings"
            )
        self.position = state["position"]

    def _draw(self, groups: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        turns = -(-self.per_label // len(groups))
        order = np.concatenate([rng.permutation(len(groups)) for _ in range(turns)])
        return np.array([rng.choice(groups[k]) for k in order[: self.per_label]])


def _recordings(
    dataset: MeshDataset, samples: np.ndarray, labels: np.ndarray
) -> Int[np.ndarray, " N"]:
    """Recording of each face; one that is of no recording, or of its label's only one, is alone."""
    sequence = dataset.store.sequence[dataset.ids[samples]]
    alone = sequence < 0
    for label in np.unique(labels):
        own = labels == label
        if len(np.unique(sequence[own & ~alone])) == 1 and not (own & alone).any():
            alone |= own
    return np.where(alone, ALONE + np.arange(len(samples)), sequence)


def vary_faces(
    vertices: Float[Tensor, "B V 3"],
    config: VariationConfig,
    mirror: Int[Tensor, " V"] | None,
    rng: torch.Generator,
) -> Float[Tensor, "B V 3"]:
    """Faces moved, turned, stretched and mirrored at random, each on its own.

    Args:
        vertices: positions, mm.
        config: how much.
        mirror: left-right partner of each vertex; None: nothing is mirrored.
        rng: of the draws.
    """

    def draw(*shape: int) -> Tensor:
        numbers = torch.randn(len(vertices), *shape, generator=rng, device=rng.device)
        return numbers.to(vertices.device)

    if mirror is not None and config.mirrored:
        coin = torch.rand(len(vertices), generator=rng, device=rng.device).to(vertices.device)
        flipped = vertices[:, mirror] * vertices.new_tensor([-1.0, 1.0, 1.0])
        vertices = torch.where((coin < config.mirrored)[:, None, None], flipped, vertices)
    middle = vertices.mean(dim=1, keepdim=True)
    size = (1 + config.scale * draw(1, 1)) * (1 + config.stretch * draw(1, 3))
    angles = torch.deg2rad(config.rotation_deg * draw(3)) / 3**0.5
    turns = torch.linalg.matrix_exp(_cross_matrices(angles))
    turned = ((vertices - middle) * size) @ turns.transpose(1, 2)
    return turned + middle + config.translation_mm * draw(1, 3)


def _cross_matrices(axes: Tensor) -> Tensor:
    """Matrices (B, 3, 3) of the cross product with each row."""
    x, y, z = axes.unbind(1)
    zero = torch.zeros_like(x)
    rows = [torch.stack(row, dim=1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return torch.stack(rows, dim=1)
