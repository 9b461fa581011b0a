"""Diversity: how far apart two random faces are, also when they share one factor.

Read it together with decoupling: a collapsed model decouples perfectly. Pairs that share a code
should vary as much as training pairs that share the label: a ratio near 1, never more.
"""

import logging

import numpy as np
import torch
from jaxtyping import Int

from meshgan.data.rows import UNLABELLED
from meshgan.errors import InputError
from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.estimate import Estimate, FaceCollection, batch_size, read_vertices
from meshgan.models.base import Codes, MeshModel
from meshgan.seeding import generator, torch_generator

log = logging.getLogger(__name__)


def metric_name(factor: str | None) -> str:
    """Key of a result: ``diversity``, or ``diversity_identity`` for pairs that share identity."""
    return "diversity" if factor is None else f"diversity_{factor}"


def model_diversity(model: MeshModel, pairs: int = 10_000, seed: int = 0) -> dict[str, Estimate]:
    """Mean vertex distance (mm) of random pairs of faces that a model draws.

    ``diversity`` is over independent pairs; ``diversity_FACTOR`` over pairs that share the code of
    that factor and differ in all others.

    Args:
        model: draws codes and decodes them.
        pairs: pairs per number.
        seed: the same seed gives the same pairs, whatever the batch size.

    Raises:
        InputError: ``pairs`` is below 1, or the model decodes to values that are not finite.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3 (10,000 pairs).
    """
    _check(pairs)
    return {
        metric_name(shared): _of_codes(model, pairs, seed, shared)
        for shared in (None, *model.factors)
    }


def data_diversity(
    collection: FaceCollection, pairs: int = 10_000, seed: int = 0
) -> dict[str, Estimate]:
    """The same numbers (mm) for registered meshes, with their labels in the place of codes.

    The first mesh of a pair is drawn from all meshes that have a partner, the second from the
    others with its label. A factor without two meshes of one label is left out, with a warning.

    Args:
        collection: meshes and labels; read in bounded memory.
        pairs: pairs per number.
        seed: the same seed gives the same pairs.

    Raises:
        InputError: ``pairs`` is below 1, or there are fewer than two meshes.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3, "training data" of Table 1.
    """
    _check(pairs)
    if collection.count < 2:
        raise InputError(f"diversity: {collection.count} mesh, expected at least two")
    everything = np.zeros(collection.count, dtype=np.int64)
    groups = {None: everything} | {name: collection.labels(name) for name in collection.factors}
    found = {}
    for factor, labels in groups.items():
        rng = generator(seed, "data diversity", factor or "all")
        chosen = pairs_of_one_label(np.asarray(labels), pairs, rng)
        if len(chosen) == 0:
            log.warning("%s: no two meshes share a label; not measured", metric_name(factor))
            continue
        found[metric_name(factor)] = _of_meshes(collection, chosen)
    return found


def pairs_of_one_label(
    labels: Int[np.ndarray, " N"], count: int, rng: np.random.Generator
) -> Int[np.ndarray, "pairs 2"]:
    """Random pairs of different meshes with the same label; none if no label occurs twice.

    Args:
        labels: one per mesh, -1 = unlabelled.
        count: pairs to draw, with replacement.
        rng: source of chance.
    """
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] != UNLABELLED]
    _, start, size = np.unique(labels[order], return_index=True, return_counts=True)
    start, size = np.repeat(start, size), np.repeat(size, size)
    partnered = np.flatnonzero(size > 1)
    if len(partnered) == 0:
        return np.empty((0, 2), dtype=np.int64)
    first = partnered[rng.integers(0, len(partnered), count)]
    step = 1 + rng.integers(0, size[first] - 1)  # 1 to size - 1: never the mesh itself
    second = start[first] + (first - start[first] + step) % size[first]
    return np.stack([order[first], order[second]], axis=1)


@torch.no_grad()
def _of_codes(model: MeshModel, pairs: int, seed: int, shared: str | None) -> Estimate:
    rng = torch_generator(seed, "model diversity", shared or "all")
    first, second = model.sample_codes(pairs, rng), model.sample_codes(pairs, rng)
    if shared is not None:
        second = {**second, shared: first[shared]}
    size = batch_size(len(model.template_vertices))
    distances = [
        mean_vertex_distance(
            model.decode(_rows(first, start, size)).double(),
            model.decode(_rows(second, start, size)).double(),
        )
        for start in range(0, pairs, size)
    ]
    return Estimate.of(torch.cat(distances).cpu())


def _rows(codes: Codes, start: int, size: int) -> Codes:
    return {name: code[start : start + size] for name, code in codes.items()}


def _of_meshes(collection: FaceCollection, pairs: Int[np.ndarray, "pairs 2"]) -> Estimate:
    pairs = pairs[np.lexsort(pairs.T[::-1])]  # neighbours in the file are read together
    vertex_count = collection.vertices(pairs[0, :1]).shape[1]
    size = batch_size(vertex_count)
    distances = []
    for start in range(0, len(pairs), size):
        some = pairs[start : start + size]
        meshes = read_vertices(collection, some.ravel()).double().unflatten(0, (-1, 2))
        distances.append(mean_vertex_distance(meshes[:, 0], meshes[:, 1]))
    return Estimate.of(torch.cat(distances))


def _check(pairs: int) -> None:
    if pairs < 1:
        raise InputError(f"diversity: {pairs} pairs, expected at least 1")
