"""Faces over time as what people can play: GIF, MP4, one glTF, point cache, or single meshes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from meshgan.apps.export import write_sequence
from meshgan.data.mesh_formats.morph_glb import MorphAnimation, write_morph_glb
from meshgan.editing.morph_tracks import morph_tracks
from meshgan.errors import InputError, MissingExtraError
from meshgan.files import atomic_path
from meshgan.geometry.mesh import TriMesh
from meshgan.pictures.camera import frame_faces
from meshgan.pictures.render import render_faces
from meshgan.pictures.sheet import contact_sheet, save_png

FILM_FRAMES = 8
MOVIES = ("gif", "mp4")
KINDS = (*MOVIES, "glb", "pc2", "png", "")


@dataclass(frozen=True)
class Film:
    """How an animation looks.

    Args:
        frames_per_second: of all kinds.
        size_px: side of the pictures of a GIF or MP4.
        yaw_deg: turn of the head in pictures.
        mesh_format: of the meshes of a folder.
    """

    frames_per_second: float = 25.0
    size_px: int = 320
    yaw_deg: float = 12.0
    mesh_format: str = "ply"

    def __post_init__(self) -> None:
        if not (0 < self.frames_per_second <= 240 and 16 <= self.size_px <= 4096):
            raise InputError(
                f"animation: {self.frames_per_second:g} frames a second of {self.size_px} pixels; "
                "expected up to 240 of 16 to 4096"
            )


USUAL_FILM = Film()


def check_animation(out: Path) -> None:
    """Refuse a name whose kind is not known, and what this machine cannot write.

    Raises:
        InputError: another suffix.
        MissingExtraError: an MP4 without the package that writes it.
    """
    kind = out.suffix[1:].lower()
    if kind not in KINDS:
        raise InputError(
            f"{out}: expected .gif, .mp4, .glb (one face with morph targets and an animation), "
            ".pc2, .png (a film strip), or a folder for a mesh per frame"
        )
    if kind == "mp4":
        _movie_writer()


def write_animation(
    out: Path,
    mesh: TriMesh,
    vertices: Float[np.ndarray, "T V 3"],
    film: Film = USUAL_FILM,
    colours: Float[np.ndarray, "V 3"] | None = None,
    named: Mapping[str, Float[np.ndarray, "V 3"]] | None = None,
    weights: Float[np.ndarray, "T N"] | None = None,
    rest: Float[np.ndarray, "V 3"] | None = None,
) -> dict[str, Any]:
    """Write frames as what the suffix of ``out`` says.

    Args:
        out: .gif, .mp4, .glb, .pc2, .png, or a new folder.
        mesh: topology and texture coordinates.
        vertices: T frames, mm.
        film: how it looks.
        colours: sRGB of each vertex, for example ``pictures.paint.paint_template``.
        named: morph targets of the GLB that have a name, displacements from ``rest``.
        weights: of these, per frame; what they leave is added as further targets.
        rest: the face at weights 0; the first frame if None.

    Returns:
        ``files``, ``frames``, ``seconds_long`` and, for a GLB, ``morph_targets``.

    Raises:
        InputError: another suffix, or a folder that is not empty.
        MissingExtraError: an MP4 without the package that writes it.
        JobError: the file cannot be written.
    """
    check_animation(out)
    kind = out.suffix[1:].lower()
    summary: dict[str, Any] = {"files": [str(out)]}
    if kind in ("pc2", ""):
        written = write_sequence(out, mesh, vertices, film.mesh_format)
        summary["files"] = written["files"]
    elif kind == "glb":
        base = vertices[0] if rest is None else rest
        tracks = morph_tracks(vertices, base, named, weights)
        times = np.arange(len(vertices)) / film.frames_per_second
        write_morph_glb(
            out,
            mesh.with_vertices(tracks.rest),
            tracks.targets,
            animation=MorphAnimation(times, tracks.weights),
            colours=colours,
        )
        summary["morph_targets"] = list(tracks.targets)
    elif kind == "png":
        save_png(film_strip(mesh, vertices, film, colours), out)
    else:
        _write_movie(out, draw_frames(mesh, vertices, film, colours), film.frames_per_second)
    seconds = len(vertices) / film.frames_per_second
    return {**summary, "frames": len(vertices), "seconds_long": round(seconds, 3)}


def draw_frames(
    mesh: TriMesh,
    vertices: Float[np.ndarray, "T V 3"],
    film: Film,
    colours: Float[np.ndarray, "V 3"] | None = None,
) -> UInt8[np.ndarray, "T S S 3"]:
    """Pictures of all frames from one place."""
    box = frame_faces(torch.from_numpy(np.asarray(vertices)), film.yaw_deg)
    return render_faces(vertices, mesh.faces, film.size_px, colour=colours, box=box)


def film_strip(
    mesh: TriMesh,
    vertices: Float[np.ndarray, "T V 3"],
    film: Film,
    colours: Float[np.ndarray, "V 3"] | None = None,
) -> Image.Image:
    """Some frames, evenly spread, in rows of eight."""
    chosen = np.unique(np.linspace(0, len(vertices) - 1, 2 * FILM_FRAMES).round().astype(int))
    pictures = list(draw_frames(mesh, vertices[chosen], film, colours))
    rows = [pictures[k : k + FILM_FRAMES] for k in range(0, len(pictures), FILM_FRAMES)]
    return contact_sheet(rows)


def _write_movie(
    out: Path, pictures: UInt8[np.ndarray, "T S S 3"], frames_per_second: float
) -> None:
    with atomic_path(out) as temporary:
        if out.suffix.lower() == ".mp4":
            _movie_writer()(temporary, pictures, frames_per_second)
            return
        frames = [Image.fromarray(picture) for picture in pictures]
        # one palette for all frames, so that nothing flickers
        some = pictures[:: max(1, len(pictures) // 8)]
        palette = Image.fromarray(np.concatenate(some)).quantize(255)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        milliseconds = max(20, 10 * round(100 / frames_per_second))  # GIF counts in hundredths
        frames[0].save(
            temporary, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0
        )


def _movie_writer():
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise MissingExtraError(
            "MP4 needs the package imageio-ffmpeg: pip install 'meshgan[video]', or write a .gif"
        ) from error

    def write(path: Path, pictures: np.ndarray, frames_per_second: float) -> None:
        even = pictures[:, : pictures.shape[1] // 2 * 2, : pictures.shape[2] // 2 * 2]
        size = (even.shape[2], even.shape[1])
        writer = imageio_ffmpeg.write_frames(
            str(path),
            size,
            fps=frames_per_second,  # pyright: ignore[reportArgumentType]  it takes fractions, too
            quality=7,
            macro_block_size=2,
        )
        writer.send(None)
        for picture in even:
            writer.send(np.ascontiguousarray(picture))
        writer.close()

    return write
