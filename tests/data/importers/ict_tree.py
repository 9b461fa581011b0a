"""A FaceXModel folder in the real layout: every kind of file, few vertices, two identities."""

import json
from pathlib import Path

import numpy as np

from tests.data.importers.example_faces import grid_quads, grid_vertices, landmark_ids

AREAS = {"narrow": 143, "face": 150, "head": 156}
TOTAL = 170
IDENTITIES = ("identity000", "identity001")
EXPRESSIONS = (
    "browDown_L browDown_R browInnerUp_L browInnerUp_R browOuterUp_L browOuterUp_R cheekPuff_L "
    "cheekPuff_R cheekSquint_L cheekSquint_R eyeBlink_L eyeBlink_R eyeLookDown_L eyeLookDown_R "
    "eyeLookIn_L eyeLookIn_R eyeLookOut_L eyeLookOut_R eyeLookUp_L eyeLookUp_R eyeSquint_L "
    "eyeSquint_R eyeWide_L eyeWide_R jawForward jawLeft jawOpen jawRight mouthClose mouthDimple_L "
    "mouthDimple_R mouthFrown_L mouthFrown_R mouthFunnel mouthLeft mouthLowerDown_L "
    "mouthLowerDown_R mouthPress_L mouthPress_R mouthPucker mouthRight mouthRollLower "
    "mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmile_L mouthSmile_R mouthStretch_L "
    "mouthStretch_R mouthUpperUp_L mouthUpperUp_R noseSneer_L noseSneer_R"
).split()
UNLISTED = ("PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R")


def neutral_cm() -> np.ndarray:
    """The narrow area is a face; then a strip of face, of head, and of things inside."""
    rest = np.random.default_rng(0).normal(scale=20, size=(TOTAL - 143, 3)) - [0, 0, 60]
    return np.concatenate([grid_vertices(), rest]) / 10


def displacement_cm(name: str) -> np.ndarray:
    """What a shape adds to the neutral face, half a millimetre or so."""
    seed = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**32
    return np.random.default_rng(seed).normal(scale=0.05, size=(TOTAL, 3))


def polygons() -> list[list[int]]:
    """Quads of the narrow area, one of the face, one of the head, triangles inside."""
    inside = [[160, 161, 162], [163, 164, 165]]
    return [*grid_quads().tolist(), [0, 144, 149, 1], [145, 151, 155, 146], *inside]


def obj_text(vertices: np.ndarray) -> str:
    lines = ["# a comment", "mtllib face.mtl"]
    lines += ["v " + " ".join(map(repr, row)) for row in vertices.tolist()]
    lines += [f"vt {k / 200} {k / 300}" for k in range(len(vertices) + 5)]
    faces = polygons()
    corner = "{0}/{0}"
    for first, group in ((0, "M_Face"), (120, "M_BackHead"), (122, "M_Teeth")):
        lines += ["g " + group, "usemtl " + group]
        last = {0: 120, 120: 122, 122: len(faces)}[first]
        for face in faces[first:last]:
            lines.append("f " + " ".join(corner.format(vertex + 1) for vertex in face))
    return "\n".join([*lines, ""])


def write_ict_folder(root: Path) -> Path:
    """``root/FaceXModel`` with all its files."""
    folder = root / "FaceXModel"
    folder.mkdir(parents=True)
    neutral = neutral_cm()
    (folder / "generic_neutral_mesh.obj").write_text(obj_text(neutral))
    for name in (*IDENTITIES, *EXPRESSIONS, *UNLISTED):
        (folder / f"{name}.obj").write_text(obj_text(neutral + displacement_cm(name)))
    indices = {
        "expressions": EXPRESSIONS,
        "fitting_expressions": EXPRESSIONS,
        "incompatibilities": [],
        "idx_to_fitting_verts": list(range(100)),
        "idx_to_rigid_verts": [3, 5, 8, 152, 169],
        "idx_to_lap_rigid_verts": list(range(40)),
        "idx_to_landmark_verts": landmark_ids().tolist(),
        "idx_to_rigid_landmark_idx": list(range(9)),
    }
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    (root / "README.md").write_text("ICT-FaceKit")
    return root
