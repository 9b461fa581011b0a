"""The three least-squares problems of a Tucker model, each with the other two parts held fixed.

face = sum over (k, m) of z_k y_m core_km, with z = [1, code] of one factor and y the products of
[1, code] of all other factors. Faces enter by their moments per label, so that a step costs the
same for ten faces of a label as for a thousand.

Axis letters: N faces, K labels, d length of a code, M products, r coordinates of a face.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

TINY = 1e-10  # ridge, of the mean diagonal, that no solution shows but no solver misses


@dataclass(frozen=True, eq=False)
class Moments:
    """What a least-squares fit must know of the faces of each label."""

    products: Float[np.ndarray, "K M M"]
    """Sum of y y^T."""
    faces: Float[np.ndarray, "K M r"]
    """Sum of y face^T."""


def with_one(codes: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N _"]:
    """[1, code]: what makes a multilinear model affine in each code."""
    return np.concatenate([np.ones((len(codes), 1)), codes], axis=1)


def products_of(parts: list[np.ndarray]) -> Float[np.ndarray, "N M"]:
    """All products of entries of several matrices of N rows, the last one's running fastest."""
    result = parts[0]
    for part in parts[1:]:
        result = (result[:, :, None] * part[:, None, :]).reshape(len(part), -1)
    return result


def moments_by_label(
    products: Float[np.ndarray, "N M"],
    faces: Float[np.ndarray, "N r"],
    labels: Int[np.ndarray, " N"],
    count: int,
) -> Moments:
    """Moments of the faces of each label."""
    width = products.shape[1]
    of_products = np.zeros((count, width, width))
    of_faces = np.zeros((count, width, faces.shape[1]))
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(count + 1))
    for label in range(count):
        rows = order[ends[label] : ends[label + 1]]
        of_products[label] = products[rows].T @ products[rows]
        of_faces[label] = products[rows].T @ faces[rows]
    return Moments(of_products, of_faces)


def solve_core(
    ones: Float[np.ndarray, "K e"], moments: Moments, penalty: Float[np.ndarray, "e M"]
) -> Float[np.ndarray, "e M r"]:
    """Minimise sum |face - core(z, y)|^2 + sum of penalty_km |core_km|^2 over the core.

    Args:
        ones: z of each label, e = 1 + d.
        moments: of the faces of each label.
        penalty: of each entry of the core, mm^2 per mm^2.
    """
    count, size = ones.shape
    width = moments.products.shape[1]
    outer = (ones[:, :, None] * ones[:, None, :]).reshape(count, -1)
    normal = (outer.T @ moments.products.reshape(count, -1)).reshape(size, size, width, width)
    normal = normal.transpose(0, 2, 1, 3).reshape(size * width, size * width)
    right = np.tensordot(ones, moments.faces, (0, 0)).reshape(size * width, -1)
    diagonal = np.diag_indices(len(normal))
    normal[diagonal] += penalty.ravel() + TINY * normal[diagonal].mean()
    core = scipy.linalg.solve(normal, right, assume_a="pos", overwrite_a=True)
    return core.reshape(size, width, -1)


def solve_label_codes(
    core: Float[np.ndarray, "e M r"], moments: Moments, noise: float
) -> Float[np.ndarray, "K d"]:
    """Minimise sum |face - core([1, code], y)|^2 + noise |code|^2 over the code of each label."""
    size, width, _ = core.shape
    flat = core.reshape(size * width, -1)
    gram = (flat @ flat.T).reshape(size, width, size, width).transpose(0, 2, 1, 3)
    count = len(moments.products)
    normal = moments.products.reshape(count, -1) @ gram.reshape(size * size, -1).T
    normal = normal.reshape(count, size, size)
    right = np.tensordot(moments.faces, core, ([1, 2], [1, 2]))
    return _ridge(normal[:, 1:, 1:], right[:, 1:] - normal[:, 1:, 0], noise)


def solve_face_codes(
    core: Float[np.ndarray, "M e r"],
    products: Float[np.ndarray, "N M"],
    faces: Float[np.ndarray, "N r"],
    groups: Int[np.ndarray, " N"],
    noise: float,
) -> tuple[Float[np.ndarray, "N d"], float]:
    """Minimise |face - core(y, [1, code])|^2 + noise |code|^2 over the code of each face.

    Args:
        core: the factor solved for on its second axis.
        products: y of every face.
        faces: to explain.
        groups: faces of one number have the same y.
        noise: mm^2.

    Returns:
        Codes, and the sum of squares that they leave, mm^2.
    """
    codes = np.empty((len(faces), core.shape[1] - 1))
    left = 0.0
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    for rows in np.split(order, cuts):
        own = np.tensordot(products[rows[0]], core, (0, 0))
        centre, basis = own[0], own[1:]
        moved = faces[rows] - centre
        codes[rows] = _ridge((basis @ basis.T)[None], (basis @ moved.T)[None], noise)[0].T
        left += float(((moved - codes[rows] @ basis) ** 2).sum())
    return codes, left


def _ridge(normal: np.ndarray, right: np.ndarray, noise: float) -> np.ndarray:
    """Solve (normal + noise) x = right for many problems; right may have further columns."""
    size = normal.shape[1]
    scale = np.trace(normal, axis1=1, axis2=2) / max(size, 1)
    penalty = noise + TINY * scale + 1e-300
    regular = normal + penalty[:, None, None] * np.eye(size)
    if right.ndim == 2:
        return np.linalg.solve(regular, right[..., None])[..., 0]
    return np.linalg.solve(regular, right)
