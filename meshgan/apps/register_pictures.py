"""Pictures of one registration: the scan, the mesh on it, and where the two differ."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from meshgan.apps.register_jobs import PictureTask
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.importers.reading import SourceReader
from meshgan.data.template import Template
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import TriMesh
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.dots import draw_dots
from meshgan.pictures.render import render_faces, viridis
from meshgan.registration.scan import Scan, prepare_scan

LARGEST_MM = 2.0
"""Distance at the upper end of the colours, the same in all reports."""
SIZE_PX = 240
YAW_DEG = (0.0, 40.0)
UNMATCHED = (0.72, 0.72, 0.72)
_HAIR = 0.16  # share of the face's extent that is shown around it


def draw_task(
    task: PictureTask,
    template: Template,
    colour: Float[np.ndarray, "V 3"] | None,
    source: SourceReader | None = None,
) -> UInt8[np.ndarray, "H W 3"] | None:
    """The row of pictures of one scan; None if nothing can be seen of it.

    Args:
        task: what to draw.
        template: that was bent.
        colour: of its vertices.
        source: that the scan is read from, if it belongs to one.

    Raises:
        InputError: the scan cannot be read.
    """
    raw = task.job.load(source)
    scan = prepare_scan(raw.mesh, unit=raw.unit)
    if scan.status != "ok":
        return None
    if task.vertices is None:
        return _scan_alone(scan)
    assert task.pose is not None
    assert task.matched is not None
    to_template = task.pose.inverse()
    landmarks = _landmark_points(raw.landmarks, scan, to_template)
    scan = replace(scan, vertices=to_template.apply(scan.vertices))
    mesh = TriMesh(task.vertices.astype(np.float64), template.mesh.faces)
    return draw_registration(scan.mesh, mesh, task.matched, landmarks, colour)


def draw_registration(
    scan: TriMesh,
    mesh: TriMesh,
    matched: Bool[np.ndarray, " V"],
    landmarks: Float[np.ndarray, "L 3"],
    colour: Float[np.ndarray, "V 3"] | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Scan, registered mesh and error, each from the front and from the side, in a row.

    Args:
        scan: in the template's frame, mm.
        mesh: the template on it.
        matched: vertices that lie on the scan (V,); the others are grey in the last pictures.
        landmarks: measured ones (L, 3), dots on the scan; may be none.
        colour: of the template's vertices.
    """
    found = SurfaceIndex(scan.vertices, scan.faces).closest(mesh.vertices)
    errors = error_colours(found.distance, matched)
    pairs = []
    for yaw in YAW_DEG:
        box = frame_faces(torch.from_numpy(mesh.vertices[None]), yaw, margin=_HAIR)
        on_scan = draw_dots(_render(scan, box), landmarks, box)
        pairs.append((on_scan, _render(mesh, box, colour), _render(mesh, box, errors)))
    return np.concatenate([picture for kind in zip(*pairs, strict=True) for picture in kind], 1)


def error_colours(
    distance: Float[np.ndarray, " V"], matched: Bool[np.ndarray, " V"]
) -> Float[np.ndarray, "V 3"]:
    """Colour of each vertex (sRGB, 0 to 1) by its distance (mm); grey where it has no match."""
    colours = viridis(distance / LARGEST_MM)
    colours[~matched] = UNMATCHED
    return colours


def _scan_alone(scan: Scan) -> np.ndarray:
    views = []
    for yaw in YAW_DEG:
        box = frame_faces(torch.from_numpy(scan.vertices[None]), yaw)
        views.append(_render(scan.mesh, box))
    return np.concatenate(views, axis=1)


def _render(mesh: TriMesh, box: Frame, colour: np.ndarray | None = None) -> np.ndarray:
    vertices = mesh.vertices.astype(np.float32)[None]
    return render_faces(vertices, mesh.faces, SIZE_PX, colour=colour, box=box)[0]


def _landmark_points(
    landmarks: MeasuredLandmarks | None, scan: Scan, motion: Similarity
) -> Float[np.ndarray, "L 3"]:
    if landmarks is None:
        return np.zeros((0, 3))
    points = landmarks.points.astype(np.float64) * scan.mm_per_unit
    return motion.apply(points[np.isfinite(points).all(axis=1)])
