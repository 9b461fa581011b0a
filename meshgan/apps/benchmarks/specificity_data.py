"""Faces for ``bench specificity`` at the paper's size: default faces on disk, and other people."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.rows import FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.data.synthetic import FRESH_PEOPLE, FaceSource, Plan, open_source, plan_dataset
from meshgan.data.template import Template
from meshgan.errors import InputError, JobError
from meshgan.geometry.mesh import TriMesh
from meshgan.reporting import progress

BATCH = 64
FACES_PER_PERSON = 10  # of the queries


@dataclass(frozen=True)
class Size:
    """What is compared with what.

    Args:
        queries: faces of people who are not among the references.
        meshes: references.
        vertices: of each.
        resolution: of the default faces that they are made of.
    """

    queries: int
    meshes: int
    vertices: int
    resolution: str


PAPER = Size(queries=1_000, meshes=30_559, vertices=22_129, resolution="paper")
TINY = Size(queries=6, meshes=80, vertices=5_100, resolution="low")


class FaceMaker:
    """Default faces with exactly so many vertices: midpoints of the longest edges are added."""

    def __init__(self, size: Size) -> None:
        self.source: FaceSource = open_source(size.resolution)
        mesh = self.source.template.mesh
        more = size.vertices - mesh.vertex_count
        if more < 0:
            raise InputError(
                f"bench specificity: {size.vertices:,} vertices, expected at least the "
                f"{mesh.vertex_count:,} of the default faces ({size.resolution})"
            )
        self.ends = _longest_edges(mesh, more)
        vertices = self.widen(mesh.vertices[None])[0]
        self.template = Template("benchmark", TriMesh(vertices, mesh.faces))

    def widen(self, vertices: Float[np.ndarray, "b V 3"]) -> Float[np.ndarray, "b W 3"]:
        """Add the midpoints."""
        middles = 0.5 * (vertices[:, self.ends[:, 0]] + vertices[:, self.ends[:, 1]])
        return np.concatenate([vertices, middles.astype(vertices.dtype)], axis=1)

    def stream(self, plan: Plan) -> Iterator[FaceRows]:
        """Rows of a plan, ``BATCH`` at a time."""
        for rows in self.source.stream(plan, batch_size=BATCH):
            yield FaceRows(
                self.widen(rows.vertices), rows.labels, rows.subject, rows.sequence, rows.frame
            )

    def write(self, folder: Path, count: int) -> Store:
        """A DATA folder of default faces.

        Raises:
            JobError: the disk has too little room.
        """
        needed = count * self.template.vertex_count * 12 * 1.05
        free = shutil.disk_usage(folder.parent).free
        if needed > free:
            raise JobError(
                f"{folder.parent}: {free / 1e9:.1f} GB free, the benchmark needs "
                f"{needed / 1e9:.1f}; set TMPDIR to a larger disk"
            )
        plan = plan_dataset(count)
        writing = StoreWriter.create(
            folder, self.template, plan.label_names, plan.subject_names, {}
        )
        with writing as writer:
            batches = self.stream(plan)
            for rows in progress(
                batches, "making faces", unit="batches", total=-(-plan.count // BATCH)
            ):
                writer.append(rows)
        return Store(folder)

    def fresh_people(self, count: int) -> Float[np.ndarray, "Q W 3"]:
        """Faces of people whom no reference shows."""
        people = max(1, count // FACES_PER_PERSON)
        plan = plan_dataset(count, subjects=people, first_subject=FRESH_PEOPLE)
        return np.concatenate([rows.vertices for rows in self.stream(plan)])


def _longest_edges(mesh: TriMesh, count: int) -> Int[np.ndarray, "E 2"]:
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges = np.unique(edges, axis=0)
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    return edges[np.argsort(-length, kind="stable")[:count]]
