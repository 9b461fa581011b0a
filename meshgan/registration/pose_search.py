"""Where is the face, and which way is it turned? Any orientation, with clutter around it.

Every piece of the scan that is not flat is compared with what the prior's faces look like around
a hundred of their points. A good match says where the whole face would be; many matches that say
the same outvote the accidents. The best opinions are refined by robust ICP and judged.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.synthetic.cache import Arrays, cached_arrays
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.mesh import topology_hash
from meshgan.registration.patches import (
    CELLS,
    RING_EDGES_MM,
    SECTORS,
    HeightMaps,
    Surfels,
    height_maps,
    make_surfels,
    rolled,
    smoothed_normals,
)
from meshgan.registration.prior import FacePrior
from meshgan.registration.scan import Scan
from meshgan.registration.scan_cleaning import normals_and_areas
from meshgan.seeding import generator

SURFEL_MM, MOST_SURFELS = 4.0, 24_000
QUERY_MM, MOST_PLACES, MOST_QUERIES = 7.0, 16_000, 1_500
LEAST_RELIEF = 0.012  # flatter places could be anywhere: on the forehead as on a wall
MODEL_POINTS, MODEL_FACES = 100, 40
HEIGHT_NOISE_MM = 2.5  # what the prior does not know about real faces
LEAST_COVERAGE = 0.4
OPINIONS = 4  # model points that each piece of the scan may vote for
SAME_PLACE_MM, SAME_TURN = 14.0, np.deg2rad(18)
SEED = 7
VERSION = 1  # raise it when the patches change for the same prior


@dataclass(frozen=True, eq=False)
class PatchModel:
    """What the prior's faces look like around some of their points.

    Axis letter T: model points.

    Args:
        places: on the mean face (T, 3), mm.
        frames: (T, 3, 3), columns first axis, second axis, normal.
        heights: mean heights (T, CELLS), mm.
        precision: 1 / variance (T, CELLS); 0 where the face does not reach.
        centre: a point amid the face, which hypotheses must agree about.
    """

    places: Float[np.ndarray, "T 3"]
    frames: Float[np.ndarray, "T 3 3"]
    heights: Float[np.ndarray, "T cells"]
    precision: Float[np.ndarray, "T cells"]
    centre: Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class PoseCandidate:
    """A pose of the mean face that many pieces of the scan agree about.

    ``pose`` takes the prior's frame to the scan's; ``votes`` is the weight of those who agree.
    """

    pose: Similarity
    votes: float


@lru_cache(maxsize=4)
def open_patches(prior: FacePrior) -> PatchModel:
    """The patches of a prior; learnt in a second or two once, then read from the cache."""
    digest = hashlib.sha256(prior.mean.tobytes() + prior.modes.tobytes()).hexdigest()[:16]
    made_from = {
        "version": VERSION,
        "prior": digest,
        "counts": [MODEL_POINTS, MODEL_FACES, CELLS],
        "edges": RING_EDGES_MM.tolist(),
    }

    def learn() -> Arrays:
        return dict(vars(learn_patches(prior)))

    kind = topology_hash(prior.vertex_count, prior.faces)
    return PatchModel(**cached_arrays(f"patches_{kind}", made_from, learn))


def learn_patches(prior: FacePrior) -> PatchModel:
    """Height maps of random faces of the prior, around points spread over it."""
    rng = generator(SEED, "patches")
    places = _spread_vertices(prior, MODEL_POINTS)
    maps: list[HeightMaps] = []
    for _ in range(MODEL_FACES):
        maps.append(_maps_of_face(prior, prior.sample(rng), places))
    mean_maps = _maps_of_face(prior, prior.mean.astype(np.float64), places)
    known = np.stack([one.known for one in maps])
    heights = np.stack([one.heights for one in maps])
    total = np.maximum(known.sum(axis=0), 1e-6)
    mean = (known * heights).sum(axis=0) / total
    variance = (known * (heights - mean) ** 2).sum(axis=0) / total
    share = known.mean(axis=0)
    precision = np.where(share > 0.5, share / (variance + HEIGHT_NOISE_MM**2), 0)
    return PatchModel(
        places=prior.mean[places].astype(np.float64),
        frames=mean_maps.frames,
        heights=mean.astype(np.float32),
        precision=precision.astype(np.float32),
        centre=prior.mean[prior.landmarks[17:]].mean(axis=0).astype(np.float64),
    )


def search_pose(scan: Scan, model: PatchModel, most: int = 8) -> list[PoseCandidate]:
    """Poses of a face in a scan, the one with most votes first; none if nothing looks like one."""
    surfels = make_surfels(scan.vertices, scan.normals, scan.areas, SURFEL_MM, MOST_SURFELS)
    coarse = make_surfels(surfels.points, surfels.normals, surfels.areas, QUERY_MM, MOST_PLACES)
    normals, relief = smoothed_normals(surfels, coarse.points, coarse.normals)
    asked = np.flatnonzero(relief > LEAST_RELIEF)
    if not len(asked):
        return []
    if len(asked) > MOST_QUERIES:
        asked = generator(SEED, "queries").choice(asked, MOST_QUERIES, replace=False)
    maps = height_maps(surfels, coarse.points[asked], normals[asked])
    misfit, turn = _best_turns(maps, model)
    piece, point = _opinions(misfit)
    weights = np.exp(-0.5 * misfit[piece, point])
    turns = _turned_frames(maps.frames[piece], turn[piece, point])
    rotations = turns @ model.frames[point].transpose(0, 2, 1)
    offsets = np.einsum("hij,hj->hi", rotations, model.centre - model.places[point])
    centres = coarse.points[asked][piece] + offsets
    return _agreed(rotations, centres, weights, model.centre, most)


def _spread_vertices(prior: FacePrior, count: int) -> Int[np.ndarray, " T"]:
    """Vertices with relief, far from each other (farthest-point sampling), the nose tip first."""
    mean = prior.mean.astype(np.float64)
    surfels, normals = _surfels_of_face(prior, mean)
    kept = prior.coarse.kept
    _, relief = smoothed_normals(surfels, mean[kept], normals[kept])
    tip = int(prior.landmarks[30])
    pool = np.concatenate([[tip], kept[relief > LEAST_RELIEF]])
    chosen = [0]
    distance = np.linalg.norm(mean[pool] - mean[tip], axis=1)
    while len(chosen) < min(count, len(pool)):
        chosen.append(int(distance.argmax()))
        away = np.linalg.norm(mean[pool] - mean[pool[chosen[-1]]], axis=1)
        distance = np.minimum(distance, away)
    return pool[chosen]


def _surfels_of_face(prior: FacePrior, vertices: np.ndarray) -> tuple[Surfels, np.ndarray]:
    normals, areas = normals_and_areas(vertices, prior.faces)
    return make_surfels(vertices, normals, areas, SURFEL_MM, MOST_SURFELS), normals


def _maps_of_face(prior: FacePrior, vertices: np.ndarray, places: np.ndarray) -> HeightMaps:
    surfels, normals = _surfels_of_face(prior, vertices)
    smooth, _ = smoothed_normals(surfels, vertices[places], normals[places])
    up = np.broadcast_to([0.0, 1.0, 0.0], smooth.shape)
    return height_maps(surfels, vertices[places], smooth, up)


def _best_turns(maps: HeightMaps, model: PatchModel) -> tuple[np.ndarray, np.ndarray]:
    """Least mean misfit (Q, T) of each piece to each model point, and the turn that gives it."""
    known, seen = maps.known, maps.known * maps.heights
    squares = seen * maps.heights
    full = model.precision.sum(axis=1)
    best = np.full((len(known), len(full)), np.inf, dtype=np.float32)
    turn = np.zeros(best.shape, dtype=np.int64)
    for sectors in range(SECTORS):
        precision = rolled(model.precision, sectors)
        pull = precision * rolled(model.heights, sectors)
        push = pull * rolled(model.heights, sectors)
        overlap = known @ precision.T
        misfit = squares @ precision.T - 2 * (seen @ pull.T) + known @ push.T
        # the mean over the common cells; the part that is not seen counts as an average misfit
        count = known @ (precision > 0).T.astype(np.float32)
        misfit = misfit / np.maximum(count, 1)
        misfit[overlap < LEAST_COVERAGE * full] = np.inf
        better = misfit < best
        best[better], turn[better] = misfit[better], sectors
    return best, turn


def _opinions(misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best model points of every piece that has any, as two lists of ids."""
    count = min(OPINIONS, misfit.shape[1])
    point = np.argpartition(misfit, count - 1, axis=1)[:, :count]
    piece = np.repeat(np.arange(len(misfit))[:, None], count, axis=1)
    good = np.isfinite(misfit[piece, point])
    return piece[good], point[good]


def _turned_frames(frames: np.ndarray, sectors: np.ndarray) -> np.ndarray:
    """The frames with their first axis at the given sector."""
    angle = 2 * np.pi * sectors / SECTORS
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    first, second = frames[:, :, 0], frames[:, :, 1]
    return np.stack(
        [cosine * first + sine * second, cosine * second - sine * first, frames[:, :, 2]], axis=2
    )


def _agreed(
    rotations: np.ndarray, centres: np.ndarray, weights: np.ndarray, centre: np.ndarray, most: int
) -> list[PoseCandidate]:
    """Clusters of hypotheses that put the face at one place, turned one way; the mean of each."""
    if not len(weights):
        return []
    # squared distance of two rotations R, S: |R - S|^2 = 8 sin^2(angle / 2)
    unit = np.sqrt(8) * np.sin(SAME_TURN / 2)
    embedded = np.concatenate(
        [centres / SAME_PLACE_MM, rotations.reshape(-1, 9) / unit], axis=1
    ).astype(np.float32)
    votes = _density(embedded, weights)
    found: list[PoseCandidate] = []
    left = np.ones(len(votes), dtype=bool)
    while left.any() and len(found) < most:
        best = int(np.where(left, votes, -1).argmax())
        near = ((embedded - embedded[best]) ** 2).sum(axis=1) < 2
        share = weights * near
        left_vectors, _, right_vectors = np.linalg.svd(np.einsum("h,hij->ij", share, rotations))
        sign = np.diag([1, 1, np.linalg.det(left_vectors @ right_vectors)])
        rotation = left_vectors @ sign @ right_vectors
        place = share @ centres / share.sum()
        found.append(
            PoseCandidate(Similarity(rotation, place - rotation @ centre), float(votes[best]))
        )
        left &= ((embedded - embedded[best]) ** 2).sum(axis=1) > 4
    return found


def _density(embedded: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of the hypotheses near each one, in blocks."""
    squared = (embedded**2).sum(axis=1)
    votes = np.empty(len(embedded))
    for start in range(0, len(embedded), 1024):
        part = slice(start, start + 1024)
        distance = squared[part, None] + squared - 2 * embedded[part] @ embedded.T
        votes[part] = np.exp(-np.clip(distance, 0, 20)) @ weights
    return votes
