"""Pictures of a comparison that no table can show."""

import numpy as np
import pytest

from meshgan.apps.compare_pictures import transfer_map
from meshgan.apps.measures import BY_VERTEX
from meshgan.geometry.mesh import TriMesh
from tests.fakes import face_like_mesh


@pytest.fixture
def template():
    return TriMesh(*face_like_mesh(12))


def row(title, errors):
    return {"title": title, "details": {"transfer": {BY_VERTEX: errors}}}


def test_faces_are_dark_where_nothing_is_wrong_and_bright_where_most_is(template):
    count = len(template.vertices)
    result = {
        "rows": [row("right", [0.0] * count), row("wrong", [2.0] * count), {"title": "unasked"}],
        "data": {"fresh": {"details": {}}},
    }
    sheet = transfer_map(result, template)
    assert list(sheet.column_labels) == ["right", "wrong"]
    dark, bright = (picture.astype(float) for picture in sheet.images[0])
    face = (dark < 250).any(axis=2) & (bright < 250).any(axis=2)
    assert face.mean() > 0.2
    assert np.median(bright[face].mean(axis=1)) > np.median(dark[face].mean(axis=1)) + 40


def test_no_transfer_no_picture(template):
    result = {"rows": [{"title": "a"}], "data": {"fresh": {"details": {}}}}
    assert transfer_map(result, template) is None
