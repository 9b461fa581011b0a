"""Decoupling: do faces that share one code, and nothing else, still look alike in that factor?

An embedding network (``models.embedding``) judges. The number has no meaning alone: compare with
real faces that share the label (what a perfect model would reach), and with faces that share
nothing (what the network accepts anyway). Read it with diversity: a collapsed model decouples
perfectly.
"""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.decoupling_result import Decoupling, judge
from meshgan.evaluation.estimate import batch_size
from meshgan.geometry.mesh import topology_hash
from meshgan.models.base import Codes, MeshModel
from meshgan.reporting import progress
from meshgan.seeding import generator, torch_generator
from meshgan.training.tasks.embedding_batches import LabelledFaces

FACES, COMPANIONS = 100, 100


@runtime_checkable
class FaceEmbedder(Protocol):
    """Places faces such that those which are alike in one factor are near each other.

    Attributes:
        factor: what makes faces alike.
        threshold: Euclidean distance of embeddings below which two faces count as alike.
    """

    factor: str
    threshold: float

    def embed(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B d"]:
        """Embeddings on the CPU of any number of faces, mm."""
        ...


def decoupling(
    model: MeshModel,
    embedder: FaceEmbedder,
    faces: int = FACES,
    companions: int = COMPANIONS,
    seed: int = 0,
) -> Decoupling:
    """Share of companions, drawn anew in all codes but one, that are still alike in its factor.

    Args:
        model: draws and decodes faces.
        embedder: of one of the model's factors.
        faces: n random faces, the same for every factor.
        companions: m of each; face k and its companions depend on (seed, k) alone.
        seed: of the codes.

    Raises:
        InputError: the model has no code for that factor, fewer than 2 faces or 1 companion, or
            the model decodes to values that are not finite.
        ShapeError: the embedder was trained on another topology.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3, n = m = 100.
    """
    factor = embedder.factor
    if factor not in model.code_sizes:
        raise InputError(
            f"decoupling: the embedder is of {factor!r}, the model has codes for "
            f"{', '.join(model.code_sizes)}"
        )
    _check_sizes(faces, companions)
    _check_topology(model, embedder)
    codes = face_codes(model, faces, seed)
    base = _embed(model, embedder, codes)
    rows = []
    for face in progress(range(faces), f"decoupling of {factor}", unit="face"):
        others = companion_codes(model, codes, factor, face, companions, seed)
        rows.append(_distances(base[face : face + 1], _embed(model, embedder, others)))
    return judge(
        embedder.factor, embedder.threshold, np.concatenate(rows), _distances(base, base), seed
    )


def data_decoupling(
    data: LabelledFaces,
    embedder: FaceEmbedder,
    faces: int = FACES,
    companions: int = COMPANIONS,
    seed: int = 0,
) -> Decoupling:
    """The same for real faces: companions share the label, but not the recording or person.

    Labels take turns, so that each counts the same.

    Args:
        data: labelled faces; those of people whom the embedder never saw are the honest choice.
        embedder: of the same factor.
        faces: n.
        companions: m of each, with repetition where there are fewer.
        seed: of the choice.

    Raises:
        InputError: the embedder is of another factor, or no label has faces of two groups.
    """
    if data.factor != embedder.factor:
        raise InputError(
            f"decoupling: the faces are labelled for {data.factor!r}, the embedder is of "
            f"{embedder.factor!r}"
        )
    _check_sizes(faces, companions)
    chosen, mates = _draw_real(data, faces, companions, generator(seed, "real companions"))
    wanted, place = np.unique(np.concatenate([chosen, mates.ravel()]), return_inverse=True)
    embedded = torch.cat(
        [
            embedder.embed(torch.from_numpy(data.vertices(some)))
            for some in np.array_split(wanted, -(-len(wanted) // 256))
        ]
    )
    base = embedded[place[:faces]]
    companion = embedded[place[faces:]].reshape(faces, companions, -1)
    distances = (base[:, None] - companion).norm(dim=2).numpy()
    between = _distances(base, base)
    alike = data.labels[chosen][:, None] == data.labels[chosen]
    between[alike] = np.nan  # they do share something
    return judge(embedder.factor, embedder.threshold, distances, between, seed)


def face_codes(model: MeshModel, faces: int, seed: int) -> Codes:
    """Codes of the n faces; face k depends on (seed, k) alone."""
    drawn = [
        model.sample_codes(1, torch_generator(seed, "decoupling", face)) for face in range(faces)
    ]
    return {name: torch.cat([codes[name] for codes in drawn]) for name in drawn[0]}


def companion_codes(
    model: MeshModel, codes: Codes, factor: str, face: int, companions: int, seed: int
) -> Codes:
    """Codes of one face's companions: its own code of ``factor``, all else drawn anew."""
    rng = torch_generator(seed, "companions", factor, face)
    others = model.sample_codes(companions, rng)
    others[factor] = codes[factor][face : face + 1].expand(companions, -1).clone()
    return others


@torch.no_grad()
def _embed(model: MeshModel, embedder: FaceEmbedder, codes: Codes) -> Tensor:
    count, size = len(codes[embedder.factor]), batch_size(len(model.template_vertices))
    parts = []
    for start in range(0, count, size):
        some = {name: code[start : start + size] for name, code in codes.items()}
        parts.append(embedder.embed(model.decode(some)))
    return torch.cat(parts)


def _distances(first: Tensor, second: Tensor) -> np.ndarray:
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist").numpy()


def _draw_real(
    data: LabelledFaces, faces: int, companions: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, "n m"]]:
    """Faces, labels in turn, and for each its companions of other groups with the same label."""
    pools = []
    for label in np.unique(data.labels):
        rows = np.flatnonzero(data.labels == label)
        if len(np.unique(data.groups[rows])) > 1:
            pools.append(rows)
    if not pools:
        raise InputError(
            f"decoupling: no label of {data.factor} has faces of two people or recordings; "
            "label more faces"
        )
    order = [pools[k] for k in rng.permutation(len(pools))]
    chosen = np.array([rng.choice(order[k % len(order)]) for k in range(faces)])
    mates = []
    for row in chosen:
        alike = (data.labels == data.labels[row]) & (data.groups != data.groups[row])
        pool = rng.permutation(np.flatnonzero(alike))
        mates.append(np.resize(pool, companions))
    return chosen, np.stack(mates)


def _check_sizes(faces: int, companions: int) -> None:
    if faces < 2 or companions < 1:
        raise InputError(
            f"decoupling: {faces} faces with {companions} companions each, expected at least 2 "
            "and 1"
        )


def _check_topology(model: MeshModel, embedder: FaceEmbedder) -> None:
    """Where the embedder says what it was trained on (``topology``), it must be the model's."""
    trained_on = getattr(embedder, "topology", None)
    if trained_on is None:
        return
    found = topology_hash(len(model.template_vertices), model.faces.cpu().numpy())
    if found != trained_on:
        raise ShapeError(
            f"decoupling: the embedder of {embedder.factor} was trained on topology {trained_on}, "
            f"the model has {found}; train one on the model's data"
        )
