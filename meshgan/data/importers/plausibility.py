"""Is this a face, of a face's size, the right way round? Measured before it is believed.

Landmarks say most: the outer eye corners give the scale, eyes, mouth and nose the directions and
the handedness. Without them the bounding box and the winding of the triangles must do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Faces
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.importers.conversion import axis_map_of
from meshgan.data.mesh_io import Unit, unit_of_length

EYE_DISTANCE_MM = (70.0, 110.0)
FACE_HEIGHT_MM = (120.0, 260.0)

_PARTS: Mapping[str, Mapping[str, slice]] = {
    "ibug68": {
        "right eye": slice(36, 42),
        "left eye": slice(42, 48),
        "nose": slice(27, 36),
        "mouth": slice(48, 60),
    },
    "bu83": {
        "right eye": slice(0, 8),
        "left eye": slice(8, 16),
        "nose": slice(36, 48),
        "mouth": slice(48, 60),
    },
}
_PART_WORDS = {
    "right eye": ("right eye corner",),
    "left eye": ("left eye corner",),
    "nose": ("nose tip",),
    "mouth": ("mouth corner", "lip "),
}


@dataclass(frozen=True)
class FaceSize:
    """How large a face is, in whatever unit it was measured in.

    Args:
        length: what was measured.
        by_eyes: between the outer eye corners; else from bottom to top of the bounding box.
    """

    length: float
    by_eyes: bool

    @property
    def expected_mm(self) -> tuple[float, float]:
        """Smallest and largest length of a real face."""
        return EYE_DISTANCE_MM if self.by_eyes else FACE_HEIGHT_MM

    @property
    def plausible(self) -> bool:
        """A real face may be of this size, if the length is in mm."""
        low, high = self.expected_mm
        return low <= self.length <= high

    def unit(self) -> Unit:
        """The unit in which this length is nearest to a face's.

        Raises:
            InputError: the length is zero or not finite.
        """
        low, high = self.expected_mm
        return unit_of_length(self.length, float(np.sqrt(low * high)))

    def __str__(self) -> str:
        what = "outer eye corners" if self.by_eyes else "bottom and top"
        return f"{what} {self.length:.4g} apart"


def measure_size(
    vertices: Float[np.ndarray, "V 3"], landmarks: MeasuredLandmarks | None
) -> FaceSize:
    """Size of a face in the unit of its vertices, y up; by the eyes if landmarks tell."""
    parts = face_parts(landmarks)
    if parts is not None:
        corners = np.concatenate([parts["right eye"], parts["left eye"]])
        apart = np.linalg.norm(corners[:, None] - corners[None], axis=2)
        return FaceSize(float(np.nanmax(apart)), by_eyes=True)
    return FaceSize(float(np.ptp(vertices[:, 1])) if len(vertices) else 0.0, by_eyes=False)


def face_parts(landmarks: MeasuredLandmarks | None) -> dict[str, np.ndarray] | None:
    """Points of both eyes, nose and mouth; None if the set is not known or a part is missing."""
    if landmarks is None:
        return None
    if landmarks.order in _PARTS:
        chosen = _PARTS[landmarks.order]
        parts = {name: landmarks.points[rows] for name, rows in chosen.items()}
    else:
        labels = [label.lower() for label in landmarks.labels]
        parts = {
            name: landmarks.points[[any(word in label for word in words) for label in labels]]
            for name, words in _PART_WORDS.items()
            if labels
        }
    seen = {name: rows[np.isfinite(rows).all(axis=1)] for name, rows in parts.items()}
    whole = seen and all(len(seen[name]) > 0 for name in _PART_WORDS)
    both_corners = whole and len(seen["right eye"]) + len(seen["left eye"]) >= 4
    return seen if both_corners else None


def measured_axis_map(landmarks: MeasuredLandmarks | None) -> str | None:
    """Which of the landmarks' axes point to the subject's left, up, and out of the face.

    Returns:
        "x y z" for a face in our axes; "-x y z" if it is mirrored; None if it cannot be told.
    """
    directions = _directions(landmarks)
    if directions is None:
        return None
    matrix = np.zeros((3, 3))
    for row, direction in enumerate(directions):
        axis = int(np.abs(direction).argmax())
        matrix[row, axis] = np.sign(direction[axis])
    return axis_map_of(matrix) if abs(np.linalg.det(matrix)) == 1 else None


def is_mirrored(landmarks: MeasuredLandmarks | None) -> bool:
    """Left and right are exchanged, whatever way the face looks; False if it cannot be told."""
    directions = _directions(landmarks)
    return directions is not None and bool(np.linalg.det(directions) < 0)


def _directions(landmarks: MeasuredLandmarks | None) -> np.ndarray | None:
    """Rows: to the subject's left, up, out of the face; unit length."""
    parts = face_parts(landmarks)
    if parts is None:
        return None
    right, left, nose, mouth = (
        parts[name].mean(axis=0) for name in ("right eye", "left eye", "nose", "mouth")
    )
    eyes = (right + left) / 2
    to_left, up = left - right, eyes - mouth
    out = nose - (eyes + mouth) / 2
    normal = np.cross(to_left, up)
    if np.linalg.norm(normal) == 0 or out @ normal == 0:
        return None
    # the nose decides the side only; the direction is square to the plane of eyes and mouth
    rows = np.stack([to_left, up, normal * np.sign(out @ normal)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def is_inside_out(vertices: Float[np.ndarray, "V 3"], faces: Faces) -> bool:
    """The triangles face inwards.

    About its centroid, a head and any convex piece of one span a positive volume.
    """
    if not len(faces):
        return False
    centred = vertices - vertices[faces].mean(axis=(0, 1))
    a, b, c = (centred[faces[:, corner]] for corner in range(3))
    return bool(np.einsum("fi,fi->", a, np.cross(b, c)) < 0)
