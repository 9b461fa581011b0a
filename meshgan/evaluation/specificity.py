"""Specificity: how far generated faces are from the nearest real one.

It falls when a model memorises: read it with the pictures of the nearest training faces and with
the diversity. Its floor is the value of fresh real faces against the same training set; a model
below that floor copies its training data.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.distances import nearest_mesh
from meshgan.evaluation.estimate import Estimate, FaceCollection, batch_size
from meshgan.models.base import MeshModel
from meshgan.seeding import torch_generator


@dataclass(frozen=True, eq=False)
class Specificity:
    """Distance of each face to its nearest neighbour among real ones.

    Args:
        estimate: mean and standard error, mm.
        distance: of each face (Q,), mm.
        nearest: index (Q,) of the nearest mesh of the collection.
    """

    estimate: Estimate
    distance: Float[Tensor, " Q"]
    nearest: Int[Tensor, " Q"]


def specificity(queries: Float[Tensor, "Q V 3"], collection: FaceCollection) -> Specificity:
    """Mean over the queries of the smallest mean vertex distance to any mesh (mm).

    Args:
        queries: faces, mm.
        collection: the training meshes; read in blocks, in bounded memory.

    Raises:
        ShapeError: the topologies differ.
        InputError: there is no query, no mesh, or a query is not finite.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3 (1,000 samples).
    """
    if len(queries) == 0 or collection.count == 0:
        raise InputError(
            f"specificity: {len(queries)} faces against {collection.count} meshes; "
            "expected at least one of each"
        )
    expected = collection.vertices(np.arange(1)).shape[1]
    if queries.shape[1] != expected:
        raise ShapeError(
            f"specificity: faces of {queries.shape[1]:,} vertices against meshes of {expected:,}; "
            "give data of the model's template"
        )
    if not queries.isfinite().all():
        raise InputError("specificity: a face is not finite; the model may have diverged")
    found = nearest_mesh(queries.detach().cpu().numpy(), _Rows(collection))
    distance, nearest = (torch.from_numpy(values) for values in found)
    return Specificity(Estimate.of(distance), distance, nearest)


def model_specificity(
    model: MeshModel, collection: FaceCollection, samples: int = 1000, seed: int = 0
) -> Specificity:
    """``specificity`` of random faces that a model draws."""
    return specificity(sample_faces(model, samples, seed), collection)


@torch.no_grad()
def sample_faces(model: MeshModel, count: int, seed: int = 0) -> Float[Tensor, "Q V 3"]:
    """Random faces (mm) on the CPU; the same for any batch size."""
    codes = model.sample_codes(count, torch_generator(seed, "random faces"))
    size = batch_size(len(model.template_vertices))
    parts = [
        model.decode({name: code[start : start + size] for name, code in codes.items()}).cpu()
        for start in range(0, count, size)
    ]
    return torch.cat(parts)


class _Rows:
    """A collection that is read by slices and ids, as the nearest-mesh search asks for it."""

    def __init__(self, collection: FaceCollection) -> None:
        self.collection = collection

    def __len__(self) -> int:
        return self.collection.count

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        ids = np.arange(len(self))[which] if isinstance(which, slice) else which
        return np.asarray(self.collection.vertices(ids))
