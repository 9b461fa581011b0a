"""``meshgan uv``: flatten a mesh to the unit square and look its pixels up."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from meshgan.apps.template import open_template
from meshgan.data.npz import read_npz, write_npz
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.distortion import area_distortion
from meshgan.geometry.holes import hole_pixels
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.normals import vertex_normals
from meshgan.geometry.parameterize import Method, UVMap, parameterize
from meshgan.geometry.rasterize import PixelLookup, rasterize_uv
from meshgan.models.geometry_map import GeometryMap
from meshgan.pictures.sheet import contact_sheet, save_png

PICTURE_PX = 256


def make_uv(
    mesh: Path | str, out: Path | str, method: Method = "harmonic", size_px: int = 64
) -> dict[str, Any]:
    """Write the UV map and the pixel lookup of a mesh, and a picture beside them.

    The map is left-right symmetric if the mesh is. Holes (eyes, mouth) stay holes: their pixels
    are white in the picture, and read the nearest place on the rim in the lookup.

    Args:
        mesh: a mesh file of one piece with an outline, mm; or a template file, a RUN or DATA
            folder, or the name of a default template.
        out: NPZ file to write; the picture takes its name with ``.png``.
        method: "harmonic", "slim", "mean_value" or "uniform".
        size_px: n, pixels a side.

    Returns:
        What ``--json`` prints: flipped, covered (share of the pixels outside holes), holes and
        their share of the pixels, distortion, round trip through the image (mm), seconds (map and
        lookup, without files), and the file names.

    Raises:
        InputError: the mesh cannot be read or laid out, or ``out`` is no NPZ file.
    """
    out = Path(out)
    if out.suffix != ".npz":
        raise InputError(f"{out}: expected a name that ends in .npz")
    template = open_template(str(mesh))
    surface = template.mesh
    started = time.perf_counter()
    uv_map = parameterize(surface, method, template.mirror, size_px=size_px)
    lookup = rasterize_uv(uv_map.uv, surface.faces, size_px)
    seconds = time.perf_counter() - started
    write_lookup(out, uv_map, lookup)
    picture = out.with_suffix(".png")
    save_png(draw_uv(surface, uv_map, lookup), picture)
    report = uv_map.report
    return {
        "file": str(out),
        "picture": str(picture),
        "vertices": surface.vertex_count,
        "faces": surface.face_count,
        "method": method,
        "weights": report.weights,
        "flipped": report.flipped,
        "flipped_under": dict(report.flipped_under),
        "size_px": size_px,
        "asymmetry": report.asymmetry,
        "covered": report.covered_fraction,
        "holes": report.holes,
        "hole_fraction": report.hole_fraction,
        "distortion": {
            key: value
            for key, value in report.as_dict().items()
            if key in ("area_distortion", "angle_distortion")
        },
        "round_trip_mm": {"mean": report.round_trip_mean_mm, "p99": report.round_trip_p99_mm},
        "seconds": seconds,
    }


def write_lookup(path: Path | str, uv_map: UVMap, lookup: PixelLookup) -> None:
    """Write a UV map with its lookup as NPZ: uv, faces_of_pixels, corners, weights, report."""
    arrays = {
        "uv": uv_map.uv,
        "faces_of_pixels": lookup.faces_of_pixels.numpy(),
        "corners": lookup.corners.numpy(),
        "weights": lookup.weights.numpy(),
        "report": np.array(json.dumps({"method": uv_map.method, **uv_map.report.as_dict()})),
    }
    write_npz(path, arrays)


def read_lookup(path: Path | str) -> tuple[Float[np.ndarray, "V 2"], PixelLookup]:
    """Read what ``write_lookup`` wrote: the UVs and the lookup.

    Raises:
        FileFormatError: the file is missing, damaged, or holds something else.
    """
    arrays = read_npz(path)
    wanted = ("uv", "faces_of_pixels", "corners", "weights")
    if missing := [name for name in wanted if name not in arrays]:
        raise FileFormatError(f"{path}: has no array {', '.join(missing)}; expected a UV lookup")
    uv, faces, corners, weights = (arrays[name] for name in wanted)
    square = faces.ndim == 2 and faces.shape[0] == faces.shape[1]
    fits = corners.shape == weights.shape == (*faces.shape, 3) and uv.ndim == 2
    if not (square and fits and 0 <= corners.min() and corners.max() < len(uv)):
        raise FileFormatError(f"{path}: its arrays do not fit each other; make the file again")
    tensors = (torch.from_numpy(array) for array in (faces, corners, weights))
    return uv, PixelLookup(len(uv), *tensors)


def draw_uv(mesh: TriMesh, uv_map: UVMap, lookup: PixelLookup):
    """A sheet of what an image of this map shows: positions, normals, distortion."""
    vertices = torch.from_numpy(np.asarray(mesh.vertices, dtype=np.float32))
    normals = vertex_normals(vertices[None], torch.from_numpy(mesh.faces))[0]
    low, high = vertices.amin(dim=0), vertices.amax(dim=0)
    positions = (vertices - low) / (high - low).clamp(min=1e-6)
    images = GeometryMap(lookup)(torch.stack([positions, 0.5 + 0.5 * normals]))
    stretch = area_distortion(mesh.vertices, uv_map.uv, mesh.faces)[lookup.faces_of_pixels.numpy()]
    grey = torch.from_numpy(np.nan_to_num(1 / np.sqrt(stretch))).float().expand(3, -1, -1)
    in_hole = torch.from_numpy(hole_pixels(uv_map.uv, mesh.faces, lookup.size_px))
    cells = [[_enlarge(image.masked_fill(in_hole, 1.0)) for image in (*images, grey)]]
    report = uv_map.report
    title = (
        f"{uv_map.method} ({report.weights.replace('_', ' ')}), {mesh.vertex_count:,} vertices, "
        f"round trip {report.round_trip_mean_mm:.2f} mm, 99 %: {report.round_trip_p99_mm:.2f} mm"
    )
    names = ("positions as colour", "normals as colour", "area kept: white")
    return contact_sheet(cells, title=title, column_labels=names)


def _enlarge(image: torch.Tensor) -> UInt8[np.ndarray, "S S 3"]:
    scaled = torch.nn.functional.interpolate(image[None], size=PICTURE_PX, mode="nearest")[0]
    return (255 * scaled.clamp(0, 1)).round().byte().permute(1, 2, 0).contiguous().numpy()
