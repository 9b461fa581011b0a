"""The sheet of ``meshgan fit``: what was observed, the fitted face, and how far they are apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from meshgan.data.template import Template
from meshgan.fitting.fit import Fit
from meshgan.fitting.poses import Poses
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import TriMesh
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.dots import draw_dots
from meshgan.pictures.overlay import draw_overlay
from meshgan.pictures.paint import paint_template
from meshgan.pictures.render import render_faces, viridis
from meshgan.pictures.sheet import Sheet, colour_legend

SIZE_PX, PICTURE_PX = 220, 420  # larger where lines and crosses are to be told apart
YAW_DEG = 35.0
LEAST_MM = 2.0
MARGIN = 0.12


@dataclass(frozen=True, eq=False)
class Shown:
    """What was observed of a face, where it was observed, mm.

    Args:
        surface: a mesh or a scan.
        scan: the surface is one of another topology.
        landmarks: measured points (L, 3); NaN where missing.
        pixels: of a picture: where its landmarks were seen (L, 2), y down; NaN where missing.
        photograph: that picture.
    """

    surface: TriMesh | None = None
    scan: bool = False
    landmarks: Float[np.ndarray, "L 3"] | None = None
    pixels: Float[np.ndarray, "L 2"] | None = None
    photograph: UInt8[np.ndarray, "H W 3"] | None = None


def fit_sheet(
    template: Template,
    fit: Fit,
    vertices: Float[np.ndarray, "B V 3"],
    names: Sequence[str],
    shown: Sequence[Shown],
    truth: Sequence[TriMesh] = (),
    some: slice = slice(None),
) -> Sheet:
    """A row per face: the observed surface or the landmarks, the fit from two sides, the error.

    Surfaces are turned back into the model's frame. Of a picture, the fitted face lies over it.
    The error is the distance to the true mesh where there is one, else to the observed surface.

    Args:
        template: of the model.
        fit: of B faces.
        vertices: fitted faces where they were observed, mm.
        names: of the faces.
        shown: what was observed.
        truth: true meshes, or none.
        some: which faces are drawn.
    """
    poses = fit.poses or Poses.identity(len(names))
    rows, labels, compared, pictured = [], [], False, fit.cameras is not None
    size = PICTURE_PX if pictured else SIZE_PX
    references = [mesh for mesh in truth] or [one.surface for one in shown]
    largest = _largest(vertices, references)
    colour = paint_template(template)
    for k in range(len(names))[some]:
        back = poses.similarity(k).inverse()
        face = back.apply(vertices[k].astype(np.float64))
        box = frame_faces(torch.from_numpy(face[None]), margin=MARGIN)
        side = frame_faces(torch.from_numpy(face[None]), YAW_DEG, margin=MARGIN)
        row = [_picture(fit, k, vertices[k], template, shown[k])] if pictured else []
        if (surface := references[k]) is not None:
            other = TriMesh(back.apply(surface.vertices.astype(np.float64)), surface.faces)
            row += [_draw(other, box, size), _draw(other, side, size)]
        mesh = TriMesh(face, template.mesh.faces)
        front = _draw(mesh, box, size, colour)
        marks = shown[k].landmarks
        if marks is not None:
            front = draw_dots(front, back.apply(marks[np.isfinite(marks).all(axis=1)]), box)
        row += [front, _draw(mesh, side, size, colour)]
        if surface is not None:
            share = _distance(vertices[k], surface) / largest
            row.append(_draw(mesh, box, size, viridis(share)))
            compared = True
        rows.append(row)
        rms = float(fit.landmark_rms_mm[k])
        labels.append(f"{names[k]}\n{rms:.2f} mm")
    what = "truth" if truth else "observed"
    dots = " Dots: landmarks." if any(one.landmarks is not None for one in shown) else ""
    if pictured:
        dots = " Picture: landmarks given (red) and fitted (blue crosses); distances at the face."
    columns = ["picture"] if pictured else []
    columns += ([what, what] if compared else []) + ["fit", "fit"] + (["error"] if compared else [])
    more = f"; the first {len(rows)} of {len(names)}" if len(rows) < len(names) else ""
    return Sheet(
        rows,
        "Fitted faces",
        labels,
        columns,
        f"Left: root mean square distance to what was observed{more}.{dots}",
        colour_legend(largest, f"distance to the {'true face' if truth else 'observed surface'}")
        if compared
        else None,
    )


def _distance(vertices: Float[np.ndarray, "V 3"], other: TriMesh) -> Float[np.ndarray, " V"]:
    """Of every vertex to the same one of a mesh as large, else to the closest point."""
    if other.vertex_count == len(vertices):
        return np.linalg.norm(vertices - other.vertices, axis=1)
    return SurfaceIndex(other.vertices, other.faces).closest(vertices.astype(np.float64)).distance


def _largest(vertices: Float[np.ndarray, "B V 3"], references: Sequence[TriMesh | None]) -> float:
    """Upper end of the colours: nearly all distances lie below."""
    found = [
        np.quantile(_distance(face, other), 0.95)
        for face, other in zip(vertices, references, strict=True)
        if other is not None
    ]
    return float(max(LEAST_MM, np.ceil(max(found)))) if found else LEAST_MM


def _picture(
    fit: Fit, k: int, vertices: Float[np.ndarray, "V 3"], template: Template, shown: Shown
) -> UInt8[np.ndarray, "S S 3"]:
    """Face ``k`` over the picture in which its landmarks were seen."""
    assert fit.cameras is not None  # asked for by the caller
    assert shown.pixels is not None
    camera = fit.cameras.take(k)
    projected = camera.project(torch.from_numpy(vertices[None]))[0].double().cpu().numpy()
    fitted = fit.landmarks[k].double().cpu().numpy()
    return draw_overlay(
        projected, template.mesh.faces, shown.pixels, fitted, PICTURE_PX, shown.photograph
    )


def _draw(
    mesh: TriMesh, box: Frame, size: int, colour: Float[np.ndarray, "V 3"] | None = None
) -> UInt8[np.ndarray, "S S 3"]:
    vertices = mesh.vertices.astype(np.float32)[None]
    return render_faces(vertices, mesh.faces, size, colour=colour, box=box)[0]
