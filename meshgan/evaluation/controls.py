"""Models and data whose decoupling is known beforehand: what any metric must tell apart.

``additive_control.oracle_additive`` decouples by construction, ``Entangled`` is in between,
``MeaninglessCodes`` is chance; ``ShuffledLabels`` is chance on the side of the data. All of them
run through every metric unchanged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.data.rows import UNLABELLED
from meshgan.errors import InputError
from meshgan.evaluation.additive_control import AdditiveOracle, oracle_additive
from meshgan.evaluation.estimate import FaceCollection
from meshgan.models.base import NOISE, Codes, FaceDecoder, MeshModel
from meshgan.seeding import generator, torch_generator

__all__ = ["AdditiveOracle", "Entangled", "MeaninglessCodes", "ShuffledLabels", "oracle_additive"]


class Entangled(FaceDecoder):
    """A model whose codes get into each other's way: share 0 leaves it alone, 1 swaps control.

    Of the variance of each factor's code a share comes from the code of the next factor (the last
    one's from the first), through a fixed random rotation. What a mixed code looks like by itself
    stays as it was: mean 0, mean variance 1.

    Args:
        base: the model.
        share: of the variance, 0 to 1.
        into: factors that are mixed; all if None.
        seed: of the rotation.

    Raises:
        InputError: fewer than two factors, an unknown one, or a share out of range.
    """

    def __init__(
        self,
        base: MeshModel,
        share: float = 0.5,
        into: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        names = list(base.factors)
        chosen = names if into is None else list(into)
        if len(names) < 2 or not 0 <= share <= 1 or not set(chosen) <= set(names):
            raise InputError(
                f"entangled: share {share} into {', '.join(chosen)} of {', '.join(names)}; "
                "expected 0 to 1, and two factors or more of the model"
            )
        super().__init__(base.template_vertices, base.faces, base.factors, base.code_sizes)
        self.base, self.share = base, share
        self.source = {name: names[(names.index(name) + 1) % len(names)] for name in chosen}
        for name, other in self.source.items():
            sizes = (base.code_sizes[name], base.code_sizes[other])
            rotation = _rotation(*sizes, torch_generator(seed, "entangled", name))
            self.register_buffer(f"rotation_{name}", rotation.to(base.template_vertices.device))

    def settings(self) -> dict[str, Any]:
        """The share; the base is not a plain value."""
        return {"share": self.share, "into": list(self.source)}

    def label_codes(self, factor: str) -> Float[Tensor, "K d"]:
        """The code of each label, before it is mixed."""
        return self.base.label_codes(factor)

    def sample_codes(self, count: int, rng: torch.Generator) -> Codes:
        """Codes as the base draws them, before they are mixed."""
        return self.base.sample_codes(count, rng)

    def mix(self, codes: Codes) -> Codes:
        """Codes that the base decodes."""
        mixed = dict(codes)
        for name, other in self.source.items():
            rotation = getattr(self, f"rotation_{name}").to(codes[other])
            leak = codes[other] @ rotation.T
            mixed[name] = (1 - self.share) ** 0.5 * codes[name] + self.share**0.5 * leak
        return mixed

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        return self.base.decode(self.mix(codes))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm."""
        return self.base.decode_at(self.mix(codes), vertex_ids)


class MeaninglessCodes(FaceDecoder):
    """A model whose factor codes say nothing: the noise alone decides the face.

    Its faces are those of the base. Faces that share the code of a factor are random faces, so
    every measure of decoupling must show chance.

    Args:
        base: the model.
    """

    def __init__(self, base: MeshModel) -> None:
        sizes = {name: base.code_sizes[name] for name in base.factors}
        super().__init__(
            base.template_vertices,
            base.faces,
            base.factors,
            {**sizes, NOISE: sum(base.code_sizes.values())},
        )
        self.base = base

    def label_codes(self, factor: str) -> Float[Tensor, "K d"]:
        """The code of each label; it makes no difference."""
        return self.base.label_codes(factor)

    def sample_codes(self, count: int, rng: torch.Generator) -> Codes:
        """Codes that the base draws, twice: to be ignored, and side by side as noise."""
        ignored, used = (self.base.sample_codes(count, rng) for _ in range(2))
        shown = {name: ignored[name] for name in self.factors}
        return {**shown, NOISE: torch.cat([used[name] for name in self.base.code_sizes], dim=1)}

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        return self.base.decode(self._from_noise(codes))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm."""
        return self.base.decode_at(self._from_noise(codes), vertex_ids)

    def _from_noise(self, codes: Codes) -> Codes:
        sizes = self.base.code_sizes
        parts = codes[NOISE].split(list(sizes.values()), dim=1)
        return dict(zip(sizes, parts, strict=True))


class ShuffledLabels:
    """Real faces with the labels of each factor dealt out anew among those that had one.

    Args:
        collection: the real faces.
        seed: of the order.
    """

    def __init__(self, collection: FaceCollection, seed: int = 0) -> None:
        self.collection, self.seed = collection, seed

    @property
    def count(self) -> int:
        """N."""
        return self.collection.count

    @property
    def factors(self) -> Mapping[str, Any]:
        """Factor -> label names."""
        return self.collection.factors

    def labels(self, factor: str) -> Int[np.ndarray, " N"]:
        """One label per mesh, of another mesh; -1 = unlabelled, as before."""
        labels = np.array(self.collection.labels(factor))
        labelled = np.flatnonzero(labels != UNLABELLED)
        rng = generator(self.seed, "shuffled labels", factor)
        labels[labelled] = labels[rng.permutation(labelled)]
        return labels

    def vertices(self, ids: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b V 3"]:
        """Positions of some meshes, mm."""
        return self.collection.vertices(ids)


def _rotation(size: int, other: int, rng: torch.Generator) -> Float[Tensor, "size other"]:
    """Carries standard normal vectors to vectors of mean variance 1, of another length."""
    drawn = torch.randn(max(size, other), min(size, other), generator=rng)
    columns = torch.linalg.qr(drawn).Q
    return columns * (size / other) ** 0.5 if size > other else columns.T.clone()
