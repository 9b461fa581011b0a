"""How well a registered template lies on its scan."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float

from meshgan.arrays import Faces, Vertices
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.folds import folded_faces

NEAR_MM = 10.0  # scan points farther from the mesh are hair, clothes or spikes: not the face


@dataclass(frozen=True)
class Quality:
    """Distances between a scan and the template bent onto it.

    Args:
        rms_mm: root mean square distance of the scan's points to the mesh, over the points that
            lie beside the mesh (not beyond its rim) and within 10 mm.
        p95_mm: 95 % of those points are nearer than this.
        coverage: share of the template's vertices that lie on the scan, 0 to 1.
        folded: triangles that lie against their neighbourhood, beyond those of the template
            itself.
        landmark_mm: root mean square distance of the landmarks; NaN without measured ones.
    """

    rms_mm: float
    p95_mm: float
    coverage: float
    folded: int
    landmark_mm: float

    def as_dict(self) -> dict[str, float | None]:
        """For JSON: numbers by name, None where there is none."""
        return {
            name: None if value != value else round(value, 4)
            for name, value in asdict(self).items()
        }


NOTHING = Quality(float("nan"), float("nan"), 0.0, 0, float("nan"))


def scan_distances(
    scan_points: Float[np.ndarray, "P 3"], vertices: Vertices, faces: Faces
) -> Float[np.ndarray, " P"]:
    """Distance of each scan point to the mesh (P,), mm; NaN beyond its rim or 10 mm away."""
    found = SurfaceIndex(vertices, faces).closest(scan_points)
    beside = ~found.on_boundary & (found.distance < NEAR_MM)
    return np.where(beside, found.distance, np.nan)


def measure(
    scan_points: Float[np.ndarray, "P 3"],
    vertices: Vertices,
    faces: Faces,
    matched: Bool[np.ndarray, " V"],
    folded_at_rest: int,
    landmark_distances: Float[np.ndarray, " K"] | None = None,
) -> Quality:
    """Compare a scan with the mesh bent onto it.

    Args:
        scan_points: the scan's vertices (P, 3), mm.
        vertices: of the registered mesh (V, 3), mm.
        faces: its triangles (F, 3).
        matched: which vertices found the scan (V,).
        folded_at_rest: folded triangles of the template itself, which are not held against it.
        landmark_distances: of the measured landmarks to the mesh's (K,), mm.
    """
    distance = scan_distances(scan_points, vertices, faces)
    distance = distance[np.isfinite(distance)]
    off = np.zeros(0) if landmark_distances is None else landmark_distances
    return Quality(
        rms_mm=float(np.sqrt((distance**2).mean())) if len(distance) else float("nan"),
        p95_mm=float(np.percentile(distance, 95)) if len(distance) else float("nan"),
        coverage=float(matched.mean()),
        folded=max(0, len(folded_faces(vertices, faces)) - folded_at_rest),
        landmark_mm=float(np.sqrt((off**2).mean())) if len(off) else float("nan"),
    )
