"""Tiny templates and rows for the tests of stores: a strip of triangles the size of a face."""

import numpy as np

from meshgan.data.store import FaceRows
from meshgan.data.template import Template
from meshgan.geometry.mesh import TriMesh

FACTORS = {"identity": ("ann", "bob", "cleo"), "expression": ("neutral", "happiness")}
SUBJECTS = ("ann", "bob", "cleo")
PROVENANCE = {"source": "test", "seed": 3, "plan": {"count": 12}}


def strip_template(columns: int = 6, name: str = "strip") -> Template:
    """2 x ``columns`` vertices, 180 mm high, so that units look right; a UV per vertex."""
    x, y = np.meshgrid(np.linspace(-70, 70, columns), [-90.0, 90.0])
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(2 * columns)], axis=1)
    corner = np.arange(columns - 1)
    lower = np.stack([corner, corner + 1, corner + columns], axis=1)
    upper = np.stack([corner + 1, corner + 1 + columns, corner + columns], axis=1)
    faces = np.concatenate([lower, upper]).astype(np.int64)
    uv = np.stack([(x.ravel() + 70) / 140, (y.ravel() + 90) / 180], axis=1)
    return Template(name=name, mesh=TriMesh(vertices, faces, uv))


def random_rows(template: Template, count: int, seed: int = 0, start: int = 0) -> FaceRows:
    """Rows ``start`` to ``start + count`` of an endless repeatable series."""
    parts = [_row(template, seed, number) for number in range(start, start + count)]
    return FaceRows(
        vertices=np.stack([vertices for vertices, _, _ in parts]),
        labels={
            "identity": np.arange(start, start + count) % 3,
            "expression": np.array([label for _, label, _ in parts]),
        },
        subject=np.arange(start, start + count) % 3,
        sequence=np.zeros(count, dtype=np.int64),
        frame=np.arange(start, start + count),
        extras={"weights": np.stack([extra for _, _, extra in parts])},
    )


def _row(template: Template, seed: int, number: int):
    rng = np.random.default_rng([seed, number])
    noise = rng.normal(size=(template.vertex_count, 3))
    vertices = (template.mesh.vertices + noise).astype(np.float32)
    return vertices, int(rng.integers(-1, 2)), rng.normal(size=4).astype(np.float32)
