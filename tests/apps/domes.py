"""Small data sets of domes with a nose: additive in their factors, made in milliseconds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from meshgan.apps.run_config import RunConfig, read_config
from meshgan.data.rows import FaceRows
from meshgan.data.store_writer import StoreWriter
from meshgan.data.template import Template
from meshgan.geometry.mesh import TriMesh
from tests.fakes import face_like_mesh, smooth_fields

PEOPLE = tuple(f"person{k}" for k in range(8))
EXPRESSIONS = ("neutral", "smile", "open", "frown")
VISEMES = ("rest", "a", "o")
SIDE = 12
SETTINGS = (
    "model.codes={identity: 5, expression: 3}",
    "model.noise=2",
    "model.hidden=20",
    "model.image_size=32",
    "model.uv=template",
    "step.batch=8",
    "train.iterations=4",
    "train.save_every=2",
    "train.validate_every=2",
    "train.preview_every=4",
    "train.log_every=1",
    "train.accelerator=cpu",
)


def dome_template(side: int = SIDE) -> Template:
    vertices, faces = face_like_mesh(side)
    u, v = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    uv = np.stack([u.ravel(), v.ravel()], axis=1)
    return Template("dome", TriMesh(vertices.astype(np.float64), faces, uv))


def dome_data(
    path: Path,
    labels: Mapping[str, np.ndarray] | None = None,
    count: int = 64,
    side: int = SIDE,
    still: bool = False,
) -> Path:
    """A finished DATA folder: face = template + person + expression + viseme.

    Args:
        path: folder to make.
        labels: by factor what is written as its label, in place of the truth; None: the truth.
        count: meshes.
        side: vertices along a side.
        still: all faces are the template.
    """
    template, rng = dome_template(side), np.random.default_rng(1)
    names = {"identity": PEOPLE, "expression": EXPRESSIONS, "viseme": VISEMES}
    number = np.arange(count)
    truth = {"identity": number % 8, "expression": number // 8 % 4, "viseme": number // 3 % 3}
    vertices = np.tile(template.mesh.vertices.astype(np.float32), (count, 1, 1))
    if not still:
        for factor, values in truth.items():
            shapes = smooth_fields(template.mesh.vertices, len(names[factor]), 2.0, rng).numpy()
            vertices += shapes[values].astype(np.float32)
    written = truth if labels is None else {**truth, **labels}
    written = {name: values for name, values in written.items() if values is not None}
    used = {name: names[name] for name in written}
    with StoreWriter.create(path, template, used, PEOPLE, {"source": "test"}) as writer:
        ids = np.zeros(count, dtype=np.int64)
        writer.append(
            FaceRows(vertices, written, truth["identity"].astype(np.int64), ids, number, {})
        )
    return path


def dome_config(*overrides: str) -> RunConfig:
    return read_config(None, None, [*SETTINGS, *overrides])
