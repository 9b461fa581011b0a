"""Rows of a data set and single meshes; a path finds its scene."""

import numpy as np
import pytest

from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.data.store import Store
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.viewer.actions import actions_of
from meshgan.viewer.browse import DataScene, MeshScene
from meshgan.viewer.opening import open_stage
from meshgan.viewer.scene import ModelScene
from tests.apps.domes import dome_data
from tests.fakes import face_like_mesh


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return dome_data(tmp_path_factory.mktemp("domes") / "data")


@pytest.fixture
def scene(data):
    return open_stage(data)


def test_rows_in_order(scene, data):
    assert isinstance(scene, DataScene)
    store = Store.open(data)
    for place in (0, 3, store.count - 1):
        scene.go(place)
        np.testing.assert_array_equal(scene.current()[0], store.vertices(np.array([place]))[0])
    scene.step(1)
    assert scene.row == 0
    actions_of(scene)["P"].run()
    assert scene.row == store.count - 1
    scene.go(10**6)
    assert scene.row == store.count - 1


def test_rows_with_labels(scene, data):
    store = Store.open(data)
    factor, names = next((name, names) for name, names in store.factors.items() if len(names) > 1)
    label = names[int(store.labels(factor)[store.labels(factor) >= 0][0])]
    scene.choose({factor: label})
    assert scene.place == 0
    rows = np.flatnonzero(store.labels(factor) == names.index(label))
    np.testing.assert_array_equal(scene.rows, rows)
    assert scene.labels()[factor] == label
    assert f"{factor} {label}" in scene.captions()[0]
    scene.choose({})
    assert len(scene.rows) == store.count
    with pytest.raises(InputError, match="has no"):
        scene.choose({factor: "nobody"})
    assert len(scene.rows) == store.count


def test_distances_of_a_row(scene):
    scene.show(colour_by="mean")
    np.testing.assert_array_equal(
        scene.reference(0), scene.template.mesh.vertices.astype(np.float32)
    )
    rows = scene._neutral_rows()
    if len(rows):
        scene.go(int(rows[0]))
        scene.show(colour_by="neutral")
        np.testing.assert_array_equal(scene.reference(0), scene.current()[0])


def test_a_random_row_follows_from_the_seed(scene):
    seen = []
    for seed in (0, 0, 1, 2, 3):
        scene.random(seed)
        seen.append(scene.row)
    assert seen[0] == seen[1]
    assert len(set(seen)) > 1


def test_a_mesh_file(tmp_path):
    vertices, faces = face_like_mesh(9)
    write_mesh(tmp_path / "dome.ply", TriMesh(vertices, faces))
    scene = open_stage(tmp_path / "dome.ply")
    assert isinstance(scene, MeshScene)
    (surface,) = scene.surfaces()
    np.testing.assert_allclose(surface.vertices, vertices)
    assert set(actions_of(scene)) == {"W"}
    scene.save_mesh(tmp_path / "again.obj")
    np.testing.assert_allclose(read_mesh(tmp_path / "again.obj").vertices, vertices)


def test_a_run(tiny_run):
    scene = open_stage(tiny_run)
    assert isinstance(scene, ModelScene)
    scene.apply_label("expression", "happiness")
    assert len(scene.surfaces()[0].vertices) == scene.template.vertex_count


def test_other_paths(tmp_path):
    with pytest.raises(InputError, match="neither a RUN"):
        open_stage(tmp_path)
    with pytest.raises(FileFormatError, match="no such file"):
        open_stage(tmp_path / "face.obj")
