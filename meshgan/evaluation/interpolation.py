"""Interpolation: does a small step in the codes change the face a little, and to a real face?"""

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError
from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.estimate import Estimate, FaceCollection, batch_size
from meshgan.evaluation.specificity import specificity
from meshgan.models.base import Codes, MeshModel
from meshgan.seeding import torch_generator


@torch.no_grad()
def interpolation(
    model: MeshModel,
    collection: FaceCollection | None = None,
    paths: int = 50,
    steps: int = 10,
    factor: str | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Walk straight from one random code to another and measure the faces on the way.

    Args:
        model: draws and decodes codes.
        collection: real faces, for the realism on the way; not measured if None.
        paths: pairs of random codes.
        steps: of each path, an even number.
        factor: whose code alone moves; all codes do if None.
        seed: of the codes.

    Returns:
        ``path_length``: length of the path over the distance of its ends, 1 = straight;
        ``largest_step``: largest step over the mean step, 1 = even;
        with a collection, in mm to the nearest real face: ``real_ends``: from the two ends,
        ``real_middle``: from the middle of the path, ``real_blend``: from the mean of the two end
        faces, which is what a linear model would show there.

    Raises:
        InputError: no path, fewer than two or an odd number of steps, no such factor, or two codes
            decode to the same face.
    """
    _check(model, paths, steps, factor)
    rng = torch_generator(seed, "interpolation", factor or "all")
    start, end = dict(model.sample_codes(paths, rng)), dict(model.sample_codes(paths, rng))
    if factor is not None:
        end = {**start, factor: end[factor]}
    length, largest, key_faces = [], [], []
    together = max(1, batch_size(len(model.template_vertices)) // (steps + 1))
    for first in range(0, paths, together):
        some = slice(first, first + together)
        faces = _decode_paths(model, _rows(start, some), _rows(end, some), steps)
        step = mean_vertex_distance(faces[:, 1:], faces[:, :-1])
        straight = mean_vertex_distance(faces[:, -1], faces[:, 0])
        length.append(step.sum(dim=1) / straight)
        largest.append(step.max(dim=1).values / step.mean(dim=1))
        key_faces.append(faces[:, [0, steps // 2, steps]])
    if not torch.cat(length).isfinite().all():
        raise InputError("interpolation: two codes decode to the same face, or to none at all")
    found = {
        "path_length": Estimate.of(torch.cat(length)),
        "largest_step": Estimate.of(torch.cat(largest)),
    }
    return found if collection is None else found | _realism(torch.cat(key_faces), collection)


def _decode_paths(
    model: MeshModel, start: Codes, end: Codes, steps: int
) -> Float[Tensor, "b T V 3"]:
    """Faces (float64, mm) at ``steps`` + 1 even places on the way from ``start`` to ``end``."""
    some_code = next(iter(start.values()))
    share = torch.linspace(0, 1, steps + 1, dtype=torch.float64)[:, None].to(some_code)
    way = {
        name: ((1 - share) * code[:, None] + share * end[name][:, None]).flatten(0, 1)
        for name, code in start.items()
    }
    return model.decode(way).cpu().double().unflatten(0, (-1, steps + 1))


def _realism(
    faces: Float[Tensor, "paths 3 V 3"], collection: FaceCollection
) -> dict[str, Estimate]:
    """``faces``: start, middle and end of each path."""
    kinds = {
        "real_ends": torch.cat([faces[:, 0], faces[:, 2]]),
        "real_middle": faces[:, 1],
        "real_blend": (faces[:, 0] + faces[:, 2]) / 2,
    }
    found = specificity(torch.cat(list(kinds.values())).float(), collection).distance
    parts = found.split([len(some) for some in kinds.values()])
    return {name: Estimate.of(part) for name, part in zip(kinds, parts, strict=True)}


def _rows(codes: Codes, some: slice) -> Codes:
    return {name: code[some] for name, code in codes.items()}


def _check(model: MeshModel, paths: int, steps: int, factor: str | None) -> None:
    if paths < 1 or steps < 2 or steps % 2:
        raise InputError(
            f"interpolation: {paths} paths of {steps} steps; expected at least one path, and an "
            "even number of steps"
        )
    if factor is not None and factor not in model.factors:
        known = ", ".join(model.factors)
        raise InputError(f"interpolation: the model has no factor {factor}; it has {known}")
