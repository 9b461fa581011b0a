"""Motion of the head apart from the motion of the face, for all frames of a sequence."""

from dataclasses import dataclass, replace

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.spatial.transform import Rotation, Slerp

from meshgan.arrays import Faces, Vertices
from meshgan.geometry.alignment import Similarity, solve_similarities
from meshgan.geometry.topology import vertex_adjacency
from meshgan.registration.sequence_smoothing import Smoothing, smooth_displacements, smooth_poses

STABLE_MM = 1.0  # vertices that move more than this over the sequence decide little of the pose
STABLE_ROUNDS = 4
UNSEEN = 0.02  # weight over time of a vertex or a frame that no scan shows, beside 1


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """A face over K frames: ``x_k = pose_k(neutral + displacement_k)``.

    Args:
        neutral: the person's template (V, 3), float64, mm, in the head's frame.
        poses: rigid, one per frame.
        displacements: (K, V, 3), float32, mm, in the head's frame.
        seen: frames that have a scan (K,); the others lie between their neighbours.
    """

    neutral: Vertices
    poses: list[Similarity]
    displacements: Float[np.ndarray, "K V 3"]
    seen: Bool[np.ndarray, " K"]

    def vertices(self, frame: int) -> Vertices:
        """Of a frame (V, 3), float64, mm, in the scan's frame."""
        return self.poses[frame].apply(self.neutral + self.displacements[frame])

    def posed_by(self, poses: list[Similarity]) -> "FaceMotion":
        """The same motion with other poses; frames without scan keep their displacements."""
        displacements = self.displacements.copy()
        for frame in np.flatnonzero(self.seen).tolist():
            local = poses[frame].inverse().apply(self.vertices(frame))
            displacements[frame] = local - self.neutral
        return replace(self, poses=poses, displacements=displacements)

    def smoothed(
        self, faces: Faces, weights: Float[np.ndarray, "K V"], smoothing: Smoothing
    ) -> "FaceMotion":
        """Without jitter: first the poses, then the face, each over time.

        Args:
            faces: triangles of the face (F, 3).
            weights: how well each vertex lies on its scan (K, V), 0 to 1.
            smoothing: how smooth.
        """
        certain = np.where(self.seen, 1.0, UNSEEN)
        motion = self.posed_by(smooth_poses(self.poses, certain, smoothing))
        displacements = smooth_displacements(
            motion.displacements,
            np.maximum(weights, UNSEEN),
            np.nan_to_num(igl.per_vertex_normals(self.neutral, faces)),
            _around(len(self.neutral), faces),
            smoothing,
        )
        poses = list(motion.poses)
        known = np.flatnonzero(self.seen)
        for frame in [*range(known[0]), *range(known[-1] + 1, len(poses))]:
            nearest = known[0] if frame < known[0] else known[-1]
            poses[frame], displacements[frame] = poses[nearest], displacements[nearest]
        return replace(motion, poses=poses, displacements=displacements)

    def jitter_mm(self) -> float:
        """Mean length of the second differences of the displacements; 0 for fewer than three."""
        if len(self.poses) < 3:
            return 0.0
        d = self.displacements
        each = [
            np.linalg.norm(d[k - 1] - 2 * d[k] + d[k + 1], axis=1).mean()
            for k in range(1, len(d) - 1)
        ]
        return float(np.mean(each))


def separate_head(neutral: Vertices, tracked: dict[int, Vertices], count: int) -> FaceMotion:
    """Pose of the head and displacements from the person's template, for every frame.

    The pose is that of the vertices that move least over the sequence. A frame that was not
    tracked lies on the way between its neighbours, or is like the only neighbour that it has.

    Args:
        neutral: the person's template (V, 3), mm.
        tracked: vertices (V, 3) in the scan's frame by number of frame; at least one.
        count: K.
    """
    known = np.array(sorted(tracked), dtype=np.int64)
    share = np.ones(len(neutral))
    for _ in range(STABLE_ROUNDS):
        poses = [_pose(neutral, tracked[frame], share) for frame in known]
        moved = np.stack(
            [
                (pose.inverse().apply(tracked[frame]) - neutral).astype(np.float32)
                for pose, frame in zip(poses, known, strict=True)
            ]
        )
        motion = np.sqrt(np.mean([(one**2).sum(axis=1) for one in moved], axis=0))
        share = (1 + (motion / STABLE_MM) ** 2) ** -2.0
    seen = np.zeros(count, dtype=bool)
    seen[known] = True
    return FaceMotion(
        neutral, _poses_between(known, count, poses), _between(known, count, moved), seen
    )


def _pose(neutral: Vertices, vertices: Vertices, share: np.ndarray) -> Similarity:
    rotations, shifts, _ = solve_similarities(neutral[None], vertices, share, scale=False)
    return Similarity(rotations[0], shifts[0])


def _between(
    known: Int[np.ndarray, " n"], count: int, values: Float[np.ndarray, "n *any"]
) -> Float[np.ndarray, "K *any"]:
    """Values of all frames, linear between the known ones and constant beyond them."""
    right = np.searchsorted(known, np.arange(count)).clip(max=len(known) - 1)
    left = np.maximum(np.searchsorted(known, np.arange(count), side="right") - 1, 0)
    gap = np.maximum(known[right] - known[left], 1)
    share = ((np.arange(count) - known[left]) / gap).clip(0, 1) * (left != right)
    share = share.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
    return (1 - share) * values[left] + share * values[right]


def _poses_between(
    known: Int[np.ndarray, " n"], count: int, poses: list[Similarity]
) -> list[Similarity]:
    shifts = _between(known, count, np.stack([pose.translation for pose in poses]))
    rotations = np.repeat(poses[0].rotation[None], count, axis=0)
    if len(poses) > 1:
        turning = Slerp(known, Rotation.from_matrix(np.stack([pose.rotation for pose in poses])))
        rotations = turning(np.arange(count).clip(known[0], known[-1])).as_matrix()
    return [Similarity(turn, shift) for turn, shift in zip(rotations, shifts, strict=True)]


def _around(count: int, faces: Faces) -> sparse.csr_matrix:
    """Means over each vertex and its neighbours (V, V)."""
    near = vertex_adjacency(count, faces) + sparse.eye(count)
    return sparse.csr_matrix(sparse.diags(1 / np.asarray(near.sum(axis=1)).ravel()) @ near)
