"""Small trees of the scan sets, laid out as the real ones are, around whatever meshes are given.

Nothing here uses the code under test: the files are written by hand from the formats' rules.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import LinearNDInterpolator

BACKGROUND = -1e9
LM3_HEAD = "# Specified 3D Landmark File\r\n\r\n{count} landmarks:\r\n"


@dataclass(frozen=True, eq=False)
class Scan:
    """A mesh to write: vertices (V, 3) and faces (F, 3), with landmarks (83, 3) if given."""

    vertices: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class DepthScan:
    """Points on a grid (rows, columns, 3), NaN where nothing was measured, and named landmarks."""

    points: np.ndarray
    landmarks: Mapping[str, Sequence[float]] | None = None


def example_scan(seed: int, rows: int = 6, columns: int = 5, landmarks: bool = True) -> Scan:
    """A bumpy sheet of a face's size (mm), float32, and 83 of its places; no two seeds agree."""
    points = example_grid(seed, rows, columns)
    ids = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1]
    faces = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
    vertices = points.reshape(-1, 3)
    return Scan(vertices, faces, face_landmarks(seed) if landmarks else None)


def example_grid(seed: int, rows: int = 6, columns: int = 5) -> np.ndarray:
    """Points (rows, columns, 3) of a bumpy sheet, float32, x to the right and y up."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-80, 80, columns), np.linspace(-95, 95, rows))
    z = 60 - (x**2 + y**2) / 150 + rng.normal(scale=2, size=x.shape)
    return np.stack([x + rng.normal(size=x.shape), y, z], axis=-1).astype(np.float32)


def face_landmarks(seed: int) -> np.ndarray:
    """83 points (float32, mm) in the order of the Binghamton sets, as a face has them."""
    rng = np.random.default_rng(seed)
    centres = {
        range(0, 8): (-32, 35, 20), range(8, 16): (32, 35, 20), range(16, 26): (-32, 50, 25),
        range(26, 36): (32, 50, 25), range(36, 48): (0, 0, 50), range(48, 68): (0, -35, 35),
        range(68, 83): (0, -50, 10),
    }  # fmt: skip
    spread = {68: (55, 25, 5)}
    points = np.empty((83, 3))
    for rows, centre in centres.items():
        reach = np.array(spread.get(rows.start, (14, 4, 2)))
        points[rows] = centre + reach * rng.uniform(-0.9, 0.9, (len(rows), 3))
    points[0], points[12] = (-46, 35, 15), (46, 35, 15)  # outer eye corners, 92 mm apart
    return points.astype(np.float32)


def wrl_text(scan: Scan, uv: np.ndarray | None = None, image: str = "face.bmp") -> str:
    """VRML 2.0 as the scanners' software writes it; numbers that read back to the same float32."""
    points = ",\n".join("      " + " ".join(map(str, row)) for row in scan.vertices)
    polygons = ",\n".join(
        "      " + ", ".join(map(str, row)) + ", -1" for row in scan.faces.tolist()
    )
    texture = ""
    if uv is not None:
        pairs = ",\n".join("      " + " ".join(map(str, row)) for row in uv)
        texture = (
            f"    texCoord TextureCoordinate {{\n     point [\n{pairs}\n     ]\n    }}\n"
            f"    texCoordIndex [\n{polygons}\n    ]\n"
        )
    return (
        "#VRML V2.0 utf8\n# one scan [not a list]\n"
        "Shape {\n  appearance Appearance {\n"
        f'   texture ImageTexture {{ url "{image}" }}\n  }}\n'
        "  geometry IndexedFaceSet {\n    ccw TRUE\n    coord Coordinate {\n     point [\n"
        f"{points}\n     ]\n    }}\n    coordIndex [\n{polygons}\n    ]\n{texture}  }}\n}}\n"
    )


def obj_text(scan: Scan) -> str:
    """Wavefront OBJ."""
    vertices = ["v " + " ".join(map(str, row)) for row in scan.vertices]
    faces = ["f " + " ".join(map(str, row)) for row in (scan.faces + 1).tolist()]
    return "\n".join(["mtllib scan.mtl", *vertices, *faces, ""])


def bnd_text(landmarks: np.ndarray) -> str:
    """83 lines of vertex id and position, mixed blanks, and the empty line at the end."""
    blanks = ("\t\t", " \t", "   ")
    return "".join(
        f"{100 + number}{blanks[number % 3]}" + " ".join(map(str, row)) + "\n"
        for number, row in enumerate(landmarks)
    ) + "\n"  # fmt: skip


def lm3_text(landmarks: Mapping[str, Sequence[float]]) -> str:
    """Header, then a line of the name and a line of the position for each landmark."""
    body = "".join(
        f"{name}\r\n{' '.join(map(str, point))}\r\n" for name, point in landmarks.items()
    )
    return LM3_HEAD.format(count=len(landmarks)) + body


def bnt_bytes(points: np.ndarray, image: str = "bs000_N_N_0.png") -> bytes:
    """Header, then x, y, z, u, v of all grid points as whole columns of float64."""
    rows, columns = points.shape[:2]
    table = np.empty((rows * columns, 5))
    table[:, :3] = np.where(np.isfinite(points), points, BACKGROUND).reshape(-1, 3)
    table[:, 3:] = np.random.default_rng(0).random((rows * columns, 2))
    head = struct.pack("<HHdH", rows, columns, BACKGROUND, len(image)) + image.encode()
    return head + struct.pack("<I", table.size) + table.astype("<f8").tobytes(order="F")


def depth_grid(vertices: np.ndarray, step_mm: float = 1.0) -> np.ndarray:
    """A mesh without overlaps along z as a scanner sees it: points (rows, columns, 3), float64.

    Row 0 is the lowest; NaN outside the convex outline of the vertices.
    """
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    x, y = np.meshgrid(
        *(np.arange(a, b + step_mm, step_mm) for a, b in zip(low, high, strict=True))
    )
    z = LinearNDInterpolator(vertices[:, :2], vertices[:, 2])(x, y)
    points = np.stack([x, y, z], axis=-1)
    points[~np.isfinite(z)] = np.nan
    return points


def write_bu3dfe_tree(root: Path, scans: Mapping[str, Scan], kind: str = "F3D") -> Path:
    """``scans``: name without kind ("F0001_AN01WH") -> scan; pictures and a stray folder too."""
    for name, scan in scans.items():
        folder = root / name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}_{kind}.wrl").write_text(wrl_text(scan, image=f"{name}_F3D.bmp"))
        (folder / f"{name}_F2D.bmp").write_bytes(b"BM")
        if scan.landmarks is not None:
            (folder / f"{name}_{kind}.bnd").write_text(bnd_text(scan.landmarks))
    (root / "Documentation").mkdir()
    (root / "Documentation" / "F0001_AN01WH_F3D.wrl").write_text("not a scan")
    return root


def write_bu4dfe_tree(
    root: Path,
    recordings: Mapping[tuple[str, str], Sequence[Scan]],
    landmarks: Path | None = None,
) -> Path:
    """``recordings``: (subject, emotion) -> frames; ``landmarks``: root of their own tree."""
    for (subject, emotion), scans in recordings.items():
        folder = root / subject / emotion
        folder.mkdir(parents=True)
        beside = folder if landmarks is None else landmarks / subject / emotion
        beside.mkdir(parents=True, exist_ok=True)
        for number, scan in enumerate(scans):
            (folder / f"{number:03d}.wrl").write_text(wrl_text(scan, image=f"{number:03d}.jpg"))
            (folder / f"{number:03d}.jpg").write_bytes(b"\xff\xd8")
            if scan.landmarks is not None:
                (beside / f"{number:03d}.bnd").write_text(bnd_text(scan.landmarks))
    (root / "Viewer").mkdir()
    (root / "Viewer" / "000.wrl").write_text("not a scan")
    return root


def write_bp4d_tree(
    root: Path, recordings: Mapping[tuple[str, str], Sequence[Scan]], suffix: str = ".obj"
) -> Path:
    """``recordings``: (subject, task) -> frames, from number 1; landmarks beside the meshes."""
    write = {".obj": obj_text, ".wrl": wrl_text}[suffix]
    for (subject, task), scans in recordings.items():
        folder = root / subject / task
        folder.mkdir(parents=True)
        for number, scan in enumerate(scans, 1):
            (folder / f"{number:04d}{suffix}").write_text(write(scan))
            (folder / f"{number:04d}.jpg").write_bytes(b"\xff\xd8")
            if scan.landmarks is not None:
                (folder / f"{number:04d}.bnd").write_text(bnd_text(scan.landmarks))
    (root / "F001" / "Audio").mkdir()
    return root


def write_bosphorus_tree(root: Path, scans: Mapping[str, DepthScan]) -> Path:
    """``scans``: name ("bs000_E_HAPPY_0") -> grid; landmark names are written as they stand."""
    for name, scan in scans.items():
        folder = root / name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.bnt").write_bytes(bnt_bytes(scan.points, f"{name}.png"))
        (folder / f"{name}.png").write_bytes(b"\x89PNG")
        if scan.landmarks is not None:
            (folder / f"{name}.lm3").write_bytes(lm3_text(scan.landmarks).encode())
    return root
