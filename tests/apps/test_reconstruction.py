"""Reconstruction of a data set's unseen people: who they are, the table, the sheet."""

import json

import numpy as np
import pytest
import torch

from meshgan.apps.reconstruction import (
    reconstruct,
    reconstruction_sheet,
    reconstruction_table,
    reconstruction_targets,
)
from meshgan.data.rows import FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import FaceDecoder
from tests.fakes import face_like_mesh


class Stretched(FaceDecoder):
    """The template, moved along three directions."""

    def decode(self, codes):
        moved = self.join(codes)[:, None, :] * torch.tensor([2.0, 3.0, 4.0])
        return self.template_vertices + moved

    def decode_at(self, codes, vertex_ids):
        return self.decode(codes)[:, vertex_ids]


def moving(template: Template) -> Stretched:
    vertices = torch.from_numpy(np.asarray(template.mesh.vertices, dtype=np.float32))
    faces = torch.from_numpy(template.mesh.faces)
    return Stretched(vertices, faces, {"identity": ("a",)}, {"identity": 3})


@pytest.fixture(scope="module")
def store(tiny_data) -> Store:
    return Store.open(tiny_data)


def test_default_faces_are_of_fresh_people(store):
    targets = reconstruction_targets(store, people=2, faces=24)
    assert len(targets.vertices) == 24
    assert len(targets.landmark_ids) == 85
    assert np.unique(targets.people).tolist() == [1_400_000, 1_400_001]
    assert len(set(targets.names)) == 12
    again = reconstruction_targets(store, people=1, faces=3)
    torch.testing.assert_close(again.vertices, targets.vertices[:3], atol=1e-4, rtol=0)


def test_table_and_sheet(store):
    targets = reconstruction_targets(store, people=2, faces=24)
    models = {"moving": moving(store.template)}
    results = reconstruct(models, targets, (0.0, 10.0), iterations=60, restarts=1)
    table = reconstruction_table(results, targets)
    json.dumps(table)
    shown = table["models"]["moving"]["10"]
    assert shown["interval"][0] <= shown["rmse"] <= shown["interval"][1]
    mean = 0.5 * (shown["groups"]["blends"] + shown["groups"]["unseen"])
    assert mean == pytest.approx(shown["rmse"], rel=1e-6)
    sheet = reconstruction_sheet(models, results, targets, store.template, faces=2, size_px=40)
    assert len(sheet.images) == 2
    assert [len(row) for row in sheet.images] == [5, 5]  # the truth, twice a face and its error
    assert sheet.column_labels[1] == "moving\nlambda 0"
    assert sheet.draw().width > 5 * 40


def test_other_data_give_the_most_expressive_test_faces(tmp_path):
    vertices, faces = face_like_mesh(8)
    template = Template("scans", TriMesh(vertices, faces), {"few": np.arange(4)})
    size = np.tile([0.0, 1.0, 5.0, 0.5], 10).astype(np.float32)  # how far each face has moved
    people = np.repeat(np.arange(10), 4)
    rows = FaceRows(
        vertices + size[:, None, None] * np.float32([0, 0, 1]),
        {"identity": people},
        people,
        np.zeros(40, dtype=np.int64),
        np.arange(40),
        {},
    )
    names = tuple(f"p{k}" for k in range(10))
    with_names = {"identity": names}
    writer = StoreWriter.create(tmp_path / "data", template, with_names, names, {})
    writer.append(rows)
    writer.finish()
    store = Store.open(tmp_path / "data")
    targets = reconstruction_targets(store, people=1, faces=1, landmarks="few")
    np.testing.assert_array_equal(targets.vertices[0].numpy(), rows.vertices[2])
    with pytest.raises(InputError, match='no landmarks "fit85"; it has few'):
        reconstruction_targets(store)


def test_refuses_more_people_than_faces(store):
    with pytest.raises(InputError, match="3 faces of 5 people"):
        reconstruction_targets(store, people=5, faces=3)
