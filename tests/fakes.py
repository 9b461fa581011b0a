"""Small stand-ins for a trained model and a store, exact by construction."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from meshgan.data.rows import FaceRows
from meshgan.seeding import generator

EXPRESSIONS = ("neutral", "smile", "open", "frown")
PERSONS = ("anna", "bea", "carl", "dora", "emil")


def face_like_mesh(side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A dome with a nose on a grid: vertices (side^2, 3) mm, float32, and faces, int64."""
    x, y = np.meshgrid(np.linspace(-70, 70, side), np.linspace(-95, 95, side))
    z = 70 * np.sqrt(np.clip(1.25 - (x / 80) ** 2 - (y / 105) ** 2, 0.01, None))
    z += 22 * np.exp(-((x / 10) ** 2) - ((y / 24) ** 2))
    for eye in (-30, 30):
        z -= 8 * np.exp(-(((x - eye) / 12) ** 2) - ((y - 30) / 9) ** 2)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + side + 1], axis=1)
    upper = np.stack([corner, corner + side + 1, corner + side], axis=1)
    return vertices, np.concatenate([lower, upper]).astype(np.int64)


class AdditiveModel:
    """v = template + identity modes + expression modes + noise modes: perfectly decoupled.

    With ``leak`` the expression code also moves the identity modes.
    """

    def __init__(self, side: int = 24, seed: int = 0, leak: float = 0.0) -> None:
        vertices, faces = face_like_mesh(side)
        rng = np.random.default_rng(seed)
        self.template_vertices = torch.from_numpy(vertices)
        self.faces = torch.from_numpy(faces)
        self.factors: Mapping[str, tuple[str, ...]] = {
            "identity": PERSONS,
            "expression": EXPRESSIONS,
        }
        self.code_sizes: Mapping[str, int] = {"identity": 6, "expression": 4, "noise": 2}
        self.modes = {
            "identity": smooth_fields(vertices, 6, 2.0, rng),
            "expression": smooth_fields(vertices, 4, 2.0, rng),
            "noise": smooth_fields(vertices, 2, 0.1, rng),
        }
        self.leak = leak
        self.fixed = {
            name: torch.from_numpy(rng.standard_normal((len(labels), self.code_sizes[name])))
            for name, labels in self.factors.items()
        }

    def sample_codes(self, count: int, rng: torch.Generator) -> dict[str, Tensor]:
        return {
            name: torch.randn(count, size, generator=rng, dtype=torch.float64)
            for name, size in self.code_sizes.items()
        }

    def label_codes(self, factor: str) -> Tensor:
        return self.fixed[factor]

    def decode(self, codes: dict[str, Tensor]) -> Tensor:
        move = sum(torch.einsum("bk,kvc->bvc", codes[name], self.modes[name]) for name in codes)
        leaked = self.leak * torch.einsum(
            "bk,kvc->bvc", codes["expression"], self.modes["identity"][:4]
        )
        return (self.template_vertices.double() + move + leaked).float()

    def decode_at(self, codes: dict[str, Tensor], vertex_ids: Tensor) -> Tensor:
        return self.decode(codes)[:, vertex_ids]


def smooth_fields(
    vertices: np.ndarray, count: int, size_mm: float, rng: np.random.Generator
) -> Tensor:
    """Random smooth displacement fields (count, V, 3), about ``size_mm`` each."""
    unit = vertices[:, :2] / 60.0
    fields = []
    for _ in range(count):
        waves = np.cos(unit @ rng.normal(0, 1.5, (2, 3)) + rng.uniform(0, 6.3, 3))
        fields.append(waves * rng.normal(0, size_mm, 3))
    return torch.from_numpy(np.stack(fields))


class LinearSource:
    """The additive model as a source: a person is an identity code, actions an expression code."""

    def __init__(self, model: AdditiveModel) -> None:
        self.model, self.met = model, set()

    def express(self, seed, subject, actions):
        self.met.add(subject)
        code = torch.from_numpy(generator(seed, "person", subject).standard_normal((1, 6)))
        codes = {
            "identity": code.expand(len(actions), -1),
            "expression": torch.from_numpy(np.asarray(actions, dtype=np.float64)),
            "noise": torch.zeros(len(actions), 2, dtype=torch.float64),
        }
        return self.model.decode(codes).numpy()

    def neutral(self, seed, subject):
        return self.express(seed, subject, np.zeros((1, 4)))[0]

    def stream(self, plan, seed=0):
        for number, take in enumerate(plan.takes):
            rng = generator(seed, "take", plan.first_subject, number)
            actions = rng.standard_normal((take.rows, 4)).astype(np.float32)
            subject = plan.first_subject + take.subject
            ids = np.full(take.rows, take.subject, dtype=np.int64)
            yield FaceRows(
                self.express(seed, subject, actions), {}, ids, ids, ids, {"actions": actions}
            )


class ArrayFaces:
    """A collection of meshes in memory, with the reading methods of a store."""

    def __init__(self, vertices: np.ndarray, labels: Mapping[str, np.ndarray], factors) -> None:
        self._vertices, self._labels = vertices, labels
        self.factors = factors
        self.largest_read = 0

    @property
    def count(self) -> int:
        return len(self._vertices)

    def labels(self, factor: str) -> np.ndarray:
        return self._labels[factor]

    def vertices(self, ids) -> np.ndarray:
        found = self._vertices[ids]
        self.largest_read = max(self.largest_read, len(found))
        return found


def faces_of_model(model: AdditiveModel, count: int = 60, seed: int = 5) -> ArrayFaces:
    """Faces that ``model`` decodes from its label codes; a third has no expression label."""
    rng = np.random.default_rng(seed)
    labels = {name: rng.integers(0, len(names), count) for name, names in model.factors.items()}
    codes = {name: model.label_codes(name)[torch.from_numpy(labels[name])] for name in labels}
    codes["noise"] = torch.from_numpy(rng.standard_normal((count, 2)))
    shown = dict(labels)
    shown["expression"] = np.where(np.arange(count) % 3 == 0, -1, labels["expression"])
    return ArrayFaces(model.decode(codes).numpy(), shown, model.factors)
