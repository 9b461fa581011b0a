"""Oracle decoupling: is a face still the same person, still the same expression? No network asked.

Where the data come from a parametric source, the truth behind each face is known: the person's
neutral shape and the expression. Linear readers of that truth, fitted on fresh faces of the source,
then read what a model draws on a grid of persons x expressions: rows share the identity code,
columns share the expression code, the noise is fresh. A decoupled model keeps rows and columns
apart; true faces of the source in the same kind of grid give the upper reference.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.estimate import batch_size
from meshgan.evaluation.linear import Basis, LinearReader
from meshgan.models.base import Codes, MeshModel
from meshgan.seeding import torch_generator


@dataclass(frozen=True, eq=False)
class Recovered:
    """What an oracle read from meshes.

    Args:
        identity: coefficients (N, i) of the neutral shape in an orthonormal basis, mm.
        expression: coefficients (N, e) of the displacement from neutral, likewise, mm.
        actions: weights (N, A) of the source's facial actions, no unit.
    """

    identity: Float[Tensor, "N i"]
    expression: Float[Tensor, "N e"]
    actions: Float[Tensor, "N A"]


@dataclass(frozen=True, eq=False)
class Oracle:
    """Linear readers from a mesh to the truth that a parametric source knows about it."""

    meshes: Basis
    identity: LinearReader
    expression: LinearReader
    actions: LinearReader

    @classmethod
    def fit(
        cls,
        meshes: Float[Tensor, "N V 3"] | Float[np.ndarray, "N V 3"],
        neutral: Float[Tensor, "_ _ 3"] | Float[np.ndarray, "_ _ 3"],
        actions: Float[Tensor, "_ A"] | Float[np.ndarray, "_ A"],
        components: int = 250,
        identity_components: int = 40,
        expression_components: int = 40,
        ridge: float = 1e-4,
    ) -> "Oracle":
        """Learn from fresh faces of the source, not those that the model was trained on.

        Args:
            meshes: faces with expressions, mm.
            neutral: the neutral face of the same person, row by row, mm.
            actions: weights of the facial actions.
            components: principal components of the meshes that the readers see.
            identity_components: of the neutral faces, to be recovered.
            expression_components: of the displacements from neutral, to be recovered.
            ridge: weight of the penalty, relative to the mean variance of a component.

        Raises:
            ShapeError: the rows do not belong together.
        """
        faces, calm, weights = (torch.as_tensor(x) for x in (meshes, neutral, actions))
        if faces.shape != calm.shape or len(faces) != len(weights):
            raise ShapeError(
                f"oracle: meshes {tuple(faces.shape)}, neutral {tuple(calm.shape)}, actions "
                f"{tuple(weights.shape)}; give one neutral face and one row of actions per mesh"
            )
        basis = Basis.of(faces, components)
        seen = basis.coefficients(faces)
        moved = faces - calm
        persons, motions = (
            Basis.of(calm, identity_components),
            Basis.of(moved, expression_components),
        )
        return cls(
            basis,
            LinearReader.fit(seen, persons.coefficients(calm), ridge),
            LinearReader.fit(seen, motions.coefficients(moved), ridge),
            LinearReader.fit(seen, weights.double(), ridge),
        )

    def recover(self, meshes: Float[Tensor, "N V 3"] | Float[np.ndarray, "N V 3"]) -> Recovered:
        """Read identity, expression and actions from meshes (mm)."""
        seen = self.meshes.coefficients(torch.as_tensor(meshes).detach().cpu())
        readers = (self.identity, self.expression, self.actions)
        return Recovered(*(reader.read(seen) for reader in readers))


def retrieval(
    values: Float[Tensor, "N d"], own: Int[Tensor, " N"], other: Int[Tensor, " N"]
) -> float:
    """Share of faces that are nearest to the centroid of their own group.

    For face k, every centroid is taken over the faces that do not share ``other`` with it: so the
    face itself is left out, and a factor that leaks cannot help or hurt.

    Args:
        values: what was read from each face.
        own: the group to be found again, 0 to G - 1.
        other: the crossing group.

    Raises:
        InputError: a group has no face outside some crossing group.
    """
    groups, crossings = int(own.max()) + 1, int(other.max()) + 1
    cells = own * crossings + other
    total = values.new_zeros(groups * crossings, values.shape[1]).index_add_(0, cells, values)
    count = torch.bincount(cells, minlength=groups * crossings).view(groups, crossings).to(values)
    total = total.view(groups, crossings, -1)
    left = count.sum(dim=1, keepdim=True) - count
    if (left == 0).any():
        raise InputError("oracle: each group needs faces in at least two crossing groups")
    centroids = (total.sum(dim=1, keepdim=True) - total) / left[..., None]  # (G, crossing, d)
    found = 0
    for crossing in range(crossings):
        asked = other == crossing
        nearest = torch.cdist(values[asked], centroids[:, crossing]).argmin(dim=1)
        found += int((nearest == own[asked]).sum())
    return found / len(values)


def grid_retrieval(
    recovered: Recovered, rows: Int[Tensor, " N"], columns: Int[Tensor, " N"]
) -> dict[str, float]:
    """How well persons (rows) and expressions (columns) of a grid are found again.

    Keys: ``oracle_identity``, ``oracle_expression`` (shares, 0 to 1) and the level of
    chance, ``chance_identity`` = 1 / rows, ``chance_expression`` = 1 / columns.
    """
    return {
        "oracle_identity": retrieval(recovered.identity, rows, columns),
        "oracle_expression": retrieval(recovered.expression, columns, rows),
        "chance_identity": 1 / (int(rows.max()) + 1),
        "chance_expression": 1 / (int(columns.max()) + 1),
    }


def grid_indices(persons: int, expressions: int) -> tuple[Int[Tensor, " N"], Int[Tensor, " N"]]:
    """Row and column of each face of a grid, row by row."""
    cells = torch.arange(persons * expressions)
    return cells // expressions, cells % expressions


@torch.no_grad()
def model_grid(
    model: MeshModel,
    persons: int,
    expressions: int,
    seed: int = 0,
    identity: str = "identity",
    expression: str = "expression",
) -> Float[Tensor, "N V 3"]:
    """Faces (mm) of a grid: rows share the identity code, columns the expression code.

    All other codes, noise included, are drawn anew for every face.

    Raises:
        InputError: the model has no factor of that name.
    """
    if missing := [name for name in (identity, expression) if name not in model.factors]:
        raise InputError(
            f"oracle: the model has no factor {', '.join(missing)}; "
            f"it has {', '.join(model.factors)}"
        )
    rows, columns = grid_indices(persons, expressions)
    rng = torch_generator(seed, "oracle grid")
    codes: Codes = dict(model.sample_codes(len(rows), rng))
    codes[identity] = model.sample_codes(persons, rng)[identity][rows]
    codes[expression] = model.sample_codes(expressions, rng)[expression][columns]
    size = batch_size(len(model.template_vertices))
    parts = [
        model.decode({name: code[start : start + size] for name, code in codes.items()}).cpu()
        for start in range(0, len(rows), size)
    ]
    return torch.cat(parts)


def model_decoupling(
    model: MeshModel, oracle: Oracle, persons: int = 20, expressions: int = 20, seed: int = 0
) -> dict[str, float]:
    """``grid_retrieval`` of the faces that a model draws on a grid of random codes."""
    recovered = oracle.recover(model_grid(model, persons, expressions, seed))
    return grid_retrieval(recovered, *grid_indices(persons, expressions))
