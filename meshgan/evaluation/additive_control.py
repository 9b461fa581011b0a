"""The additive control: a model of the default faces that decouples by construction.

It knows the truth: what people look like at rest, and how one person moves. Every measure of
decoupling must find it good; what it cannot show is that people move differently.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.data.rows import UNLABELLED
from meshgan.data.synthetic.plan import FRESH_PEOPLE, plan_dataset
from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.source_oracle import FACES_PER_PERSON, ParametricSource
from meshgan.models.base import Codes, FaceDecoder
from meshgan.models.baselines.directions import principal_directions

POSED = FRESH_PEOPLE + 400_000  # people of the control, met nowhere else
IDENTITY, EXPRESSION = "identity", "expression"


class AdditiveOracle(FaceDecoder):
    """mean + identity displacement + expression displacement, both linear in their code.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of each factor.
        code_sizes: length of each code.
        mean: the face of code 0 (V, 3), mm.
        bases: by code, displacement per unit of code (d, V, 3), mm.
        label_codes: by factor the code of each label (K, d).

    Raises:
        ShapeError: a basis or the label codes do not have the size of their code.
    """

    mean: Float[Tensor, "V 3"]
    basis: Float[Tensor, "d V 3"]

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        mean: Float[Tensor, "V 3"],
        bases: Mapping[str, Float[Tensor, "_ V 3"]],
        label_codes: Mapping[str, Float[Tensor, "_ _"]],
    ) -> None:
        super().__init__(template_vertices, faces, factors, code_sizes)
        self.linear_codes = tuple(code_sizes)
        shapes = {name: (size, self.vertex_count, 3) for name, size in code_sizes.items()}
        found = {name: tuple(basis.shape) for name, basis in bases.items()}
        if shapes != found:
            raise ShapeError(f"additive oracle: bases {found}, expected {shapes}")
        self.register_buffer("mean", mean.float())
        self.register_buffer("basis", torch.cat([bases[name] for name in code_sizes]).float())
        for name in self.factors:
            getattr(self, f"codes_{name}").copy_(label_codes[name])

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        return self.mean + torch.tensordot(self.join(codes).to(self.basis), self.basis, dims=1)

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm, from their rows alone."""
        joined = self.join(codes).to(self.basis)
        moved = torch.tensordot(joined, self.basis[:, vertex_ids], dims=1)
        return self.mean[vertex_ids] + moved


def oracle_additive(
    source: ParametricSource,
    template_vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    code_sizes: Mapping[str, int],
    people: int = 300,
    seed: int = 0,
) -> AdditiveOracle:
    """Additive model from the truth: people at rest, and how one standard person moves.

    The standard person is the one nearest to the mean of all. Its expressions are those of all
    others, so that people and expressions vary as in the source. Codes are whitened: standard
    normal codes have the source's mean and covariance, up to the directions left out.

    Args:
        source: knows the truth behind its faces.
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        code_sizes: of ``identity`` and ``expression``, for example 65 and 20.
        people: to draw; people of data sets never occur.
        seed: of people and expressions.

    Raises:
        InputError: other codes than those two, or fewer people than directions.
    """
    if list(code_sizes) != [IDENTITY, EXPRESSION] or people <= max(code_sizes.values()):
        raise InputError(
            f"additive oracle: codes {dict(code_sizes)} from {people} people; expected "
            "identity and expression, and more people than directions"
        )
    plan = plan_dataset(FACES_PER_PERSON * people, people, first_subject=POSED)
    rows = list(source.stream(plan, seed))
    actions = np.concatenate([some.extras["actions"] for some in rows])
    calm = np.stack([source.neutral(seed, POSED + k) for k in range(people)])
    calm_mean = calm.mean(axis=0)
    standard = int(np.linalg.norm(calm - calm_mean, axis=2).mean(axis=1).argmin())
    moved = source.express(seed, POSED + standard, actions) - calm[standard]
    moved_mean = moved.mean(axis=0)
    persons, person_basis = _whitened(calm - calm_mean, code_sizes[IDENTITY])
    motions, motion_basis = _whitened(moved - moved_mean, code_sizes[EXPRESSION])
    labels = [some.labels.get(EXPRESSION, np.full(some.count, UNLABELLED)) for some in rows]
    names = {name: plan.label_names[name] for name in (IDENTITY, EXPRESSION)}
    return AdditiveOracle(
        template_vertices,
        faces,
        names,
        code_sizes,
        torch.from_numpy(calm_mean + moved_mean),
        {IDENTITY: person_basis, EXPRESSION: motion_basis},
        {
            IDENTITY: persons,
            EXPRESSION: _label_means(motions, np.concatenate(labels), len(names[EXPRESSION])),
        },
    )


def _whitened(
    rows: Float[np.ndarray, "N V 3"], size: int
) -> tuple[Float[Tensor, "N d"], Float[Tensor, "d V 3"]]:
    """Coefficients of unit variance and their basis; directions that the rows lack are 0."""
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    directions, deviations = principal_directions(flat, size)
    basis = np.zeros((size, flat.shape[1]), dtype=np.float32)
    basis[: len(directions)] = directions * deviations[:, None]
    codes = np.zeros((len(rows), size), dtype=np.float32)
    codes[:, : len(directions)] = flat @ directions.T / deviations
    return torch.from_numpy(codes), torch.from_numpy(basis).unflatten(1, (-1, 3))


def _label_means(
    codes: Float[Tensor, "N d"], labels: Int[np.ndarray, " N"], count: int
) -> Float[Tensor, "K d"]:
    """Mean code of each label; a label that nobody has keeps the mean of all."""
    means = codes.new_zeros(count, codes.shape[1])
    for label in np.unique(labels[labels != UNLABELLED]).tolist():
        means[label] = codes[torch.from_numpy(labels == label)].mean(dim=0)
    return means
