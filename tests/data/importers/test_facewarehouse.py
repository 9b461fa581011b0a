"""FaceWarehouse: blendshapes, poses, and the tensor whose order must be found."""

import struct

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.facewarehouse import FaceWarehouse
from meshgan.errors import FileFormatError
from tests.data.importers.example_faces import bumpy_face, grid_faces, grid_quads, grid_vertices
from tests.data.importers.registered_trees import (
    COUNT,
    obj_text,
    shape_bs_bytes,
    write_facewarehouse_tree,
)


def shapes_of(person, count=5):
    """(S, V, 3), float32, decimetres."""
    faces = [bumpy_face(100 * person + number) for number in range(count)]
    return (np.stack(faces) / 100).astype(np.float32)


TESTERS = {2: shapes_of(2), 10: shapes_of(10)}


@pytest.fixture
def tree(tmp_path):
    return write_facewarehouse_tree(tmp_path / "facewarehouse", TESTERS)


def test_reads_blendshapes(tree):
    importer = open_importer("facewarehouse", tree)
    items = importer.items()
    assert [item.subject for item in items] == ["Tester_2"] * 5 + ["Tester_10"] * 5
    assert items[7].where == "Tester_10/Blendshape/shape.bs#2"
    assert items[7].labels == {"facewarehouse_expression": "shape02"}
    assert items[5].labels == {"facewarehouse_expression": "neutral", "expression": "neutral"}
    expected = np.concatenate([TESTERS[2], TESTERS[10]])
    for item, vertices in zip(items, expected, strict=True):
        np.testing.assert_array_equal(importer.read(item).vertices, vertices.astype(np.float64))
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_allclose(template.mesh.vertices, bumpy_face(200), atol=1e-4)
    assert importer.unit == "dm"
    assert decide_conversion(importer, importer.read(items[0]), template).messages == ()


@pytest.mark.parametrize(("factor", "unit"), [(1, "mm"), (0.1, "cm"), (0.01, "dm"), (0.001, "m")])
def test_finds_the_unit(tmp_path, factor, unit):
    shapes = (bumpy_face(0)[None] * factor).astype(np.float32)
    importer = FaceWarehouse(write_facewarehouse_tree(tmp_path / unit, {1: shapes}))
    assert importer.unit == unit
    converted = Conversion(unit).positions(importer.read(importer.items()[0]).vertices)
    np.testing.assert_allclose(converted, bumpy_face(0), rtol=1e-6, atol=1e-5)


def test_reads_poses(tmp_path):
    for person in (1, 2):
        folder = tmp_path / f"Tester_{person}" / "TrainingPose"
        folder.mkdir(parents=True)
        for number in (0, 2, 10):
            vertices = bumpy_face(100 * person + number) / 100
            (folder / f"pose_{number}.obj").write_text(obj_text(vertices, grid_quads()))
            (folder / f"pose_{number}.png").write_bytes(b"")
    importer = FaceWarehouse(tmp_path)
    items = importer.items()
    words = [item.labels["facewarehouse_expression"] for item in items]
    assert words == ["neutral", "pose02", "pose10"] * 2
    np.testing.assert_array_equal(importer.read(items[4]).vertices, bumpy_face(202) / 100)
    path = tmp_path / "Tester_2" / "TrainingPose" / "pose_2.obj"
    path.write_text(obj_text(bumpy_face(1), grid_quads()[1:]))
    with pytest.raises(FileFormatError, match=r"pose_2.obj: 238 triangles .* another topology"):
        FaceWarehouse(tmp_path).read(items[4])


PEOPLE = 4


def tensor():
    """(3V, identities, 47): faces of people that differ and do something."""
    rng = np.random.default_rng(0)
    people = rng.normal(scale=2, size=(PEOPLE, 1, COUNT, 3))
    acts = rng.normal(scale=2, size=(1, 47, COUNT, 3))
    faces = ((grid_vertices() + people + acts) / 100).astype(np.float32)
    return faces, np.moveaxis(faces.reshape(PEOPLE, 47, -1), 2, 0)


def write_tensor(path, axes, order, lead=(), planar=False, kind="<f4"):
    faces, values = tensor()
    if planar:
        values = np.moveaxis(np.swapaxes(faces, 2, 3).reshape(PEOPLE, 47, -1), 2, 0)
    stored = values.transpose(axes)
    head = struct.pack(f"<{3 + len(lead)}i", *lead, *stored.shape)
    path.write_bytes(head + stored.astype(kind).tobytes(order=order))
    return path


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("lead", "planar", "kind"), [((), False, "<f4"), ((3,), True, "<f8")])
def test_finds_the_order_of_a_tensor(tmp_path, axes, order, lead, planar, kind):
    path = write_tensor(tmp_path / "tensor.bin", axes, order, lead, planar, kind)
    (tmp_path / "shape_0.obj").write_text(obj_text(grid_vertices(), grid_quads()))
    importer = FaceWarehouse(path)
    items = importer.items()
    assert len(items) == PEOPLE * 47
    faces, _ = tensor()
    for place in (0, 1, 46, 47, 2 * 47 + 5):
        np.testing.assert_array_equal(
            importer.read(items[place]).vertices,
            faces[place // 47, place % 47].astype(np.float64),
        )
    assert items[2 * 47 + 5].subject == "Tester_3"
    assert items[2 * 47 + 5].labels == {"facewarehouse_expression": "shape05"}
    assert importer.unit == "dm"
    np.testing.assert_allclose(importer.template().mesh.vertices, faces[0, 0] * 100, rtol=1e-5)


def test_ambiguous_tensors_are_refused(tmp_path):
    mesh = tmp_path / "shape_0.obj"
    mesh.write_text(obj_text(grid_vertices(), grid_quads()))
    path = tmp_path / "tensor.bin"
    rng = np.random.default_rng(0)

    def refused(sizes, reason, values=None):
        values = rng.normal(size=sizes) if values is None else values
        path.write_bytes(struct.pack("<3i", *sizes) + values.astype("<f4").tobytes())
        with pytest.raises(FileFormatError, match=f"tensor.bin: .*{reason}"):
            FaceWarehouse(tmp_path).items()

    refused((429, 47, 47), "to tell them apart")
    refused((429, 50, 25), "expected one axis of 429 .* and one of 47")
    refused((300, 4, 47), "expected one axis of 429")
    refused((429, 4, 47), "in no single order")  # noise is no face in any order
    refused((429, 4, 47), "in no single order", np.zeros((429, 4, 47)))
    refused((429, 4, 47), "fit 0 ways", np.zeros(10))
    path.write_bytes(b"\0\0")
    with pytest.raises(FileFormatError, match="fit 0 ways"):
        FaceWarehouse(tmp_path).items()
    mesh.unlink()
    with pytest.raises(FileFormatError, match=r"holds no triangles; give --set mesh=FILE"):
        FaceWarehouse(tmp_path).items()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes, too short"),
        (shape_bs_bytes(TESTERS[2])[:-1], "holds 8,591 bytes, expected 8,592"),
        (struct.pack("<3i", -2, 143, 0), "announces -2 shapes"),
        (struct.pack("<3i", 2**30, 2**30, 0), "announces 1,073,741,824 shapes"),
        (shape_bs_bytes(TESTERS[2][:, :100]), "100 vertices, but .* has 143; another topology"),
        (None, "no such file"),
    ],
)
def test_damaged_blendshapes_are_told_when_they_are_read(tree, content, reason):
    path = tree / "Tester_2" / "Blendshape" / "shape.bs"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    importer = FaceWarehouse(tree)
    items = importer.items()
    with pytest.raises(FileFormatError, match=f"shape.bs: .*{reason}"):
        importer.read(items[0])
    importer.read(items[-1])


def test_other_folders_are_refused(tmp_path, tree):
    with pytest.raises(FileFormatError, match=r"neither Tester_1/Blendshape/shape.bs nor"):
        FaceWarehouse(tmp_path).items()
    for path in tree.rglob("shape_0.obj"):
        path.unlink()
    with pytest.raises(FileFormatError, match="holds no triangles"):
        FaceWarehouse(tree).template()
    mesh = tmp_path / "any.obj"
    mesh.write_text(obj_text(grid_vertices(), grid_quads()))
    FaceWarehouse(tree, mesh=mesh).template()
    with pytest.raises(FileFormatError, match=r"no Tester_1/TrainingPose"):
        FaceWarehouse(tree, kind="poses").items()
