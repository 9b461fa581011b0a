"""Colours of vertices as a camera sees them lit: for windows, where a face changes all the time."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from matplotlib import colormaps

from meshgan.arrays import Faces
from meshgan.geometry.normals import SteadyNormals
from meshgan.geometry.topology import vertex_adjacency
from meshgan.pictures.shading import (
    CHART,
    CREASE_TINT,
    SKIN,
    STUDIO,
    Lighting,
    light_surface,
    to_linear,
    to_srgb,
)

STEPS = 1024  # of the colour table: finer than a screen shows
CREASE_MM, CREASE_SHARE = 0.9, 0.45
Colours = Float[np.ndarray, "V 3"]


class VertexPainter:
    """Colours of the vertices of one topology, lit as the pictures of this package are.

    Light is computed here and not by the graphics card, so that a window looks the same under
    any driver, and its colours agree with their legend to the last bit. What does not change
    with the face is kept.

    Args:
        faces: vertex ids (F, 3).
        vertex_count: V.
        paint: sRGB of each vertex (V, 3), 0 to 1; one skin tone if None.
    """

    def __init__(self, faces: Faces, vertex_count: int, paint: Colours | None = None) -> None:
        self.normals: Callable[[np.ndarray], np.ndarray] = SteadyNormals(faces, vertex_count)
        tones = np.array([SKIN]) if paint is None else paint
        self._albedo = to_linear(torch.from_numpy(np.asarray(tones, dtype=np.float32)))
        table = colormaps["viridis"](np.linspace(0, 1, STEPS))[:, :3].astype(np.float32)
        self._table = to_linear(torch.from_numpy(table))
        ring = vertex_adjacency(vertex_count, faces).astype(np.float32)
        shares = 1 / np.maximum(np.asarray(ring.sum(axis=1)).ravel(), 1)
        self._ring_mean = ring.multiply(shares[:, None].astype(np.float32)).tocsr()

    def skin(
        self,
        vertices: Float[np.ndarray, "V 3"],
        normals: Float[np.ndarray, "V 3"],
        view: Float[np.ndarray, "3 3"],
    ) -> Colours:
        """Colours (sRGB) of the vertices of a face under studio light, creases darker.

        Args:
            vertices: mm.
            normals: unit.
            view: rotation from the face's frame to the camera's.
        """
        light = self._light(normals, self._albedo, STUDIO, view)
        shade = self._openness(vertices, normals)[:, None] ** torch.tensor(CREASE_TINT)
        return to_srgb(light * shade).numpy()

    def distances(
        self,
        distance_mm: Float[np.ndarray, " V"],
        largest_mm: float,
        normals: Float[np.ndarray, "V 3"],
        view: Float[np.ndarray, "3 3"],
    ) -> Colours:
        """Colours (sRGB) that tell a distance: the scale of ``sheet.colour_legend``."""
        steps = (np.clip(distance_mm / largest_mm, 0, 1) * (STEPS - 1)).round().astype(np.int64)
        albedo = self._table[torch.from_numpy(steps)]
        return to_srgb(self._light(normals, albedo, CHART, view)).numpy()

    def _light(
        self, normals: np.ndarray, albedo: torch.Tensor, lighting: Lighting, view: np.ndarray
    ) -> torch.Tensor:
        turned = torch.from_numpy(normals @ view.T.astype(np.float32))
        return light_surface(turned, albedo, lighting).clamp_(0, 1)

    def _openness(self, vertices: np.ndarray, normals: np.ndarray) -> torch.Tensor:
        """1 on open skin, less where a vertex lies behind its neighbours: lips, lids, folds."""
        around = self._ring_mean @ vertices
        behind = np.einsum("vc,vc->v", around - vertices, normals)
        return torch.from_numpy(1 - CREASE_SHARE * np.clip(behind / CREASE_MM, 0, 1))


def round_scale(largest_mm: float) -> float:
    """The upper end of a colour scale: 1, 2 or 5 times a power of ten, at least 1 mm."""
    wanted = max(1.0, largest_mm)
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(k * power for k in (1, 2, 5, 10) if k * power >= wanted * (1 - 1e-9)))
