"""Small trees of registered sets and model files, laid out as the real ones are, by hand."""

import io
import json
import pickle
import struct
import sys
import tarfile
import types
import wave
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.data.importers.example_faces import (
    bumpy_face,
    grid_faces,
    grid_quads,
    grid_vertices,
    landmark_ids,
)

COUNT = len(grid_vertices())


def neutral_face(subject: str) -> np.ndarray:
    """A person at rest (V, 3), mm."""
    return bumpy_face(sum(subject.encode()))


def face_frames(seed: int, frames: int) -> np.ndarray:
    """A sequence (frames, V, 3), float32, mm: a face that moves and comes back."""
    swing = np.sin(np.linspace(0, 3, frames))[:, None, None]
    moved = np.random.default_rng(seed).normal(scale=3, size=(COUNT, 3))
    return (bumpy_face(seed) + swing * moved).astype(np.float32)


def ply_bytes(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    """Binary little-endian PLY with float positions."""
    head = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = b"".join(struct.pack("<B3i", 3, *row) for row in faces.tolist())
    return head.encode() + vertices.astype("<f4").tobytes() + rows


def obj_text(vertices: np.ndarray, polygons: np.ndarray) -> str:
    """Wavefront OBJ with texture corners, as scanners' software writes it."""
    lines = ["mtllib face.mtl", *("v " + " ".join(map(str, row)) for row in vertices), "vt 0 0"]
    lines += ["f " + " ".join(f"{corner}/1" for corner in row) for row in (polygons + 1).tolist()]
    return "\n".join([*lines, ""])


def vl_bytes(vertices: np.ndarray, kind: str = "<f4") -> bytes:
    """A BIWI frame."""
    return struct.pack("<i", len(vertices)) + vertices.astype(kind).tobytes()


def write_biwi_tree(root: Path, sequences: Mapping[tuple[str, str], np.ndarray]) -> Path:
    """``sequences``: (subject, sentence) -> frames (N, V, 3) in our axes; stored y down, z in."""
    flip = np.array([1, -1, -1], dtype=np.float32)
    for subject in {subject for subject, _ in sequences}:
        (root / "rigid_scans").mkdir(parents=True, exist_ok=True)
        (root / "faces" / subject).mkdir(parents=True)
        neutral = neutral_face(subject).astype(np.float32) * flip
        (root / "rigid_scans" / f"{subject}.obj").write_text(obj_text(neutral, grid_faces()))
        (root / "rigid_scans" / f"{subject}.png").write_bytes(b"\x89PNG")
    for (subject, sentence), frames in sequences.items():
        names = [f"./{sentence}/frame_{number:03d}.vl" for number in range(1, len(frames) + 1)]
        contents = {name: vl_bytes(frame * flip) for name, frame in zip(names, frames, strict=True)}
        write_tar(root / "faces" / subject / f"{sentence}.tar", contents)
        (root / "faces" / subject / f"{sentence}.tgz").write_bytes(b"audio")
    return root


def write_tar(path: Path, contents: Mapping[str, bytes]) -> None:
    """A plain tar file."""
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_converted_biwi(
    root: Path, sequences: Mapping[tuple[str, str], np.ndarray], divisor: float = 1.0
) -> Path:
    """``vertices_npy``, ``templates.pkl`` and a mesh for the triangles, all divided."""
    (root / "vertices_npy").mkdir(parents=True)
    (root / "wav").mkdir()
    for (subject, sentence), frames in sequences.items():
        flat = (frames / divisor).reshape(len(frames), -1).astype(np.float32)
        np.save(root / "vertices_npy" / f"{subject}_{sentence}.npy", flat)
        with wave.open(str(root / "wav" / f"{subject}_{sentence}.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", "none"))
    neutrals = {subject: neutral_face(subject) / divisor for subject, _ in sequences}
    (root / "templates.pkl").write_bytes(pickle.dumps(neutrals, protocol=2))
    (root / "BIWI.ply").write_bytes(ply_bytes(grid_vertices() / divisor, grid_faces()))
    return root


def write_coma_tree(root: Path, sequences: Mapping[tuple[str, str], np.ndarray]) -> Path:
    """``sequences``: (subject, expression) -> frames in mm; stored in metres, numbers from 1."""
    for (subject, expression), frames in sequences.items():
        folder = root / subject / expression
        folder.mkdir(parents=True)
        for number, frame in enumerate(frames, 1):
            content = ply_bytes(frame / np.float32(1000), grid_faces())
            (folder / f"{expression}.{number:06d}.ply").write_bytes(content)
    (root / "notes").mkdir(exist_ok=True)
    return root


def write_vocaset(root: Path, sequences: Mapping[tuple[str, str], np.ndarray]) -> Path:
    """``data_verts.npy`` and its tables, as Python 2 wrote them; rows are not in order."""
    root.mkdir(parents=True, exist_ok=True)
    rows, table = [], {}
    for (subject, sequence), frames in reversed(list(sequences.items())):
        numbers = table.setdefault(subject, {}).setdefault(sequence, {})
        for number, frame in enumerate(frames):
            numbers[number] = len(rows)
            rows.append(frame / np.float32(1000))
    np.save(root / "data_verts.npy", np.stack(rows))
    (root / "subj_seq_to_idx.pkl").write_bytes(pickle.dumps(table, protocol=2))
    neutrals = {subject: neutral_face(subject) / 1000 for subject, _ in sequences}
    (root / "templates.pkl").write_bytes(pickle.dumps(neutrals, protocol=2))
    (root / "raw_audio_fixed.pkl").write_bytes(b"never read")
    return root


def write_facescape_tree(root: Path, faces: Mapping[tuple[int, str], np.ndarray]) -> Path:
    """``faces``: (subject, "4_anger") -> vertices in mm."""
    for (subject, expression), vertices in faces.items():
        folder = root / str(subject) / "models_reg"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{expression}.obj").write_text(obj_text(vertices, grid_quads()))
        (folder / f"{expression}.obj.mtl").write_text("newmtl material_0")
        (root / str(subject) / "dpmap").mkdir(exist_ok=True)
    return root


def write_raw_facescape(
    root: Path, faces: Mapping[tuple[int, str], np.ndarray], scale: float, motion: np.ndarray
) -> Path:
    """Scans v with ``face = R (scale v) + t``, and the file that says so."""
    table: dict[str, dict[str, list]] = {}
    for (subject, expression), vertices in faces.items():
        (root / str(subject)).mkdir(parents=True, exist_ok=True)
        scan = (vertices - motion[:, 3]) @ motion[:, :3] / scale
        path = root / str(subject) / f"{expression}.ply"
        path.write_bytes(ply_bytes(scan, grid_faces()))
        number = expression.split("_")[0]
        table.setdefault(str(subject), {})[number] = [scale, motion.tolist()]
    (root / "Rt_scale_dict.json").write_text(json.dumps(table))
    return root


def bilinear_arrays(
    seed: int = 0, identities: int = 4, expressions: int = 5, first_id: int = 1
) -> dict[str, np.ndarray]:
    """Arrays of a FaceScape model whose identity coefficient 0 carries the mean face."""
    rng = np.random.default_rng(seed)
    core = rng.normal(size=(3 * COUNT, expressions, identities)) * 20
    core[:, 1:] = core[:, :1] + rng.normal(size=core[:, 1:].shape) * 10
    core[:, :, 0] += grid_vertices().reshape(-1, 1) * 50
    mean = np.full(identities, 0.001)
    mean[0] = 1 / 50
    front = grid_faces()[grid_faces().max(axis=1) < 121]
    return {
        "shape_bm_core": core.astype(np.float32),
        "id_mean": mean.astype(np.float32),
        "id_var": np.full(identities, 0.0004, dtype=np.float32),
        "fv_indices": (grid_faces() + first_id).astype(np.int32),
        "fv_indices_front": (front + first_id).astype(np.int32),
        "ft_indices": np.zeros((3, 3), dtype=np.int32),
        "texcoords": np.zeros((4, 2)),
        "vc_dict_front": np.array({1: [0, 0, 0]}, dtype=object),
        "lm_list_v16": landmark_ids(),
        "sym_dict": np.array(mirror_table(), dtype=object),
    }


def mirror_table() -> dict[int, int]:
    """Vertex -> partner on the other side of the grid."""
    ids = np.arange(COUNT).reshape(13, 11)
    return dict(zip(ids.ravel().tolist(), ids[:, ::-1].ravel().tolist(), strict=True))


def shape_bs_bytes(shapes: np.ndarray) -> bytes:
    """FaceWarehouse's blendshape file: (S, V, 3)."""
    head = struct.pack("<3i", len(shapes) - 1, shapes.shape[1], len(grid_quads()))
    return head + shapes.astype("<f4").tobytes()


def write_facewarehouse_tree(root: Path, testers: Mapping[int, np.ndarray]) -> Path:
    """``testers``: number -> shapes (S, V, 3) in decimetres."""
    for number, shapes in testers.items():
        folder = root / f"Tester_{number}" / "Blendshape"
        folder.mkdir(parents=True)
        (folder / "shape.bs").write_bytes(shape_bs_bytes(shapes))
        (folder / "shape_0.obj").write_text(obj_text(shapes[0].astype(np.float32), grid_quads()))
    return root


def flame_arrays(identities: int = 300, expressions: int = 4) -> dict[str, np.ndarray]:
    """Arrays of a FLAME model, metres."""
    rng = np.random.default_rng(0)
    shapes = rng.normal(scale=2e-4, size=(COUNT, 3, identities + expressions))
    return {"v_template": grid_vertices() / 1000, "shapedirs": shapes, "f": grid_faces()}


@contextmanager
def chumpy_class():
    """A stand-in for ``chumpy.ch.Ch``, so that pickles can name it as old models do."""

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    modules = {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": types.ModuleType("chumpy.ch")}
    modules["chumpy.ch"].Ch = Ch  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules.update(modules)
    try:
        yield Ch
    finally:
        for name in modules:
            del sys.modules[name]


def bfm_arrays(identities: int = 3) -> dict[str, np.ndarray]:
    """Mean (3V,), unit basis (3V, k) and standard deviations (k,), mm."""
    basis, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3 * COUNT, identities)))
    return {
        "mean": grid_vertices().reshape(-1),
        "basis": basis,
        "sigmas": np.linspace(30, 10, identities),
    }


def text_grid(tiers: Mapping[str, Sequence[tuple[float, float, str]]], short: bool = False) -> str:
    """A Praat TextGrid of interval tiers, long or short form."""
    end = max(row[1] for rows in tiers.values() for row in rows)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += [f"{'' if short else 'xmin = '}0", f"{'' if short else 'xmax = '}{end}"]
    lines += ["<exists>" if short else "tiers? <exists>", str(len(tiers))]
    lines[-1] = lines[-1] if short else f"size = {len(tiers)}"
    lines += [] if short else ["item []:"]
    for number, (name, rows) in enumerate(tiers.items(), 1):
        head = ['"IntervalTier"', f'"{name}"', "0", str(end), str(len(rows))]
        keys = ["class", "name", "xmin", "xmax", "intervals: size"]
        lines += head if short else [f"    item [{number}]:"]
        lines += [] if short else [f"        {k} = {v}" for k, v in zip(keys, head, strict=True)]
        for place, (start, stop, word) in enumerate(rows, 1):
            values = [str(start), str(stop), '"' + word.replace('"', '""') + '"']
            lines += (
                values
                if short
                else [f"        intervals [{place}]:"]
                + [
                    f"            {key} = {value}"
                    for key, value in zip(("xmin", "xmax", "text"), values, strict=True)
                ]
            )
    return "\n".join([*lines, ""])
