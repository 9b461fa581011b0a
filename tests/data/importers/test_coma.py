"""CoMA: sequences of PLY files in metres, neutral to an extreme and back."""

import pickle

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.coma import CoMA
from meshgan.data.importers.decision import decide_conversion
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.example_faces import grid_faces, grid_vertices
from tests.data.importers.registered_trees import face_frames, ply_bytes, write_coma_tree

A, B = "FaceTalk_170725_00137_TA", "FaceTalk_170728_03272_TA"
SEQUENCES = {
    (A, "bareteeth"): face_frames(1, 7),
    (A, "mouth_up"): face_frames(2, 4),
    (B, "bareteeth"): face_frames(3, 5),
}


@pytest.fixture
def tree(tmp_path):
    return write_coma_tree(tmp_path / "coma", SEQUENCES)


def test_reads_every_frame(tree):
    importer = open_importer("coma", tree)
    items = importer.items()
    assert [item.where for item in items] == sorted(
        path.relative_to(tree).as_posix() for path in tree.rglob("*.ply")
    )
    for item in items:
        frame = SEQUENCES[item.subject, item.sequence][item.frame - 1]
        expected = (frame / np.float32(1000)).astype(np.float64)
        np.testing.assert_array_equal(importer.read(item).vertices, expected)
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_allclose(
        template.mesh.vertices, SEQUENCES[A, "bareteeth"][0], rtol=1e-6, atol=1e-5
    )
    decision = decide_conversion(importer, importer.read(items[0]), template)
    assert decision.conversion.factor == 1000
    assert decision.messages == ()


def test_labels(tree):
    items = CoMA(tree, neutral_frames=2).items()
    words = [item.labels["coma_expression"] for item in items if item.sequence == "mouth_up"]
    assert words == ["neutral", "neutral", "mouth_up", "mouth_up"]
    common = [item.labels.get("expression") for item in items if item.sequence == "mouth_up"]
    assert common == ["neutral", "neutral", None, None]
    assert all("expression" not in item.labels for item in CoMA(tree, neutral_frames=0).items())


def test_one_frame_per_sequence(tree):
    middle = CoMA(tree, frames="middle").items()
    assert [item.frame for item in middle] == [4, 3, 3]
    assert [item.labels["coma_expression"] for item in middle] == [
        "bareteeth", "mouth_up", "bareteeth"
    ]  # fmt: skip
    far = tree / A / "bareteeth" / "bareteeth.000006.ply"
    moved = SEQUENCES[A, "bareteeth"][0] / 1000 + 0.02
    far.write_bytes(ply_bytes(moved, grid_faces()))
    (tree / A / "bareteeth" / "bareteeth.000003.ply").write_bytes(b"ply")
    extreme = CoMA(tree, frames="extreme").items()
    assert extreme[0].where.endswith("bareteeth.000006.ply")
    assert len(extreme) == 3


def test_landmarks_of_an_embedding(tree, tmp_path):
    path = tmp_path / "flame_static_embedding.pkl"
    weights = np.tile([0.2, 0.5, 0.3], (51, 1))
    table = {"lmk_face_idx": np.arange(51, dtype=np.uint32), "lmk_b_coords": weights}
    path.write_bytes(pickle.dumps(table, protocol=2))
    template = CoMA(tree, landmarks=path).template()
    np.testing.assert_array_equal(template.landmarks["ibug51"], grid_faces()[:51, 1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (ply_bytes(grid_vertices(), grid_faces())[:-7], "cut short"),
        (
            ply_bytes(grid_vertices()[:-1], grid_faces()[:10]),
            "142 vertices, but .*another topology",
        ),
        (ply_bytes(grid_vertices(), grid_faces()[:, [1, 2, 0]]), "another topology"),
        (ply_bytes(grid_vertices() * np.nan, grid_faces()), "not finite"),
    ],
)
def test_bad_meshes_are_named(tree, content, reason):
    path = tree / A / "mouth_up" / "mouth_up.000002.ply"
    path.write_bytes(content)
    importer = CoMA(tree)
    (item,) = [item for item in importer.items() if item.where.endswith("up.000002.ply")]
    with pytest.raises(FileFormatError, match=reason) as caught:
        importer.read(item)
    assert str(path) in str(caught.value)


def test_a_bad_first_mesh_leaves_the_topology_of_the_second(tree):
    (tree / A / "bareteeth" / "bareteeth.000001.ply").write_bytes(b"")
    np.testing.assert_array_equal(CoMA(tree).template().mesh.faces, grid_faces())


def test_names_without_a_number_are_refused(tree):
    path = tree / A / "mouth_up" / "mouth_up.ply"
    path.write_bytes(ply_bytes(grid_vertices(), grid_faces()))
    importer = CoMA(tree)
    (item,) = [item for item in importer.items() if item.where.endswith("/mouth_up.ply")]
    with pytest.raises(FileFormatError, match="does not end in a frame number"):
        importer.read(item)


def test_other_folders_and_options_are_refused(tmp_path, tree):
    with pytest.raises(FileFormatError, match=r"no subject folder like FaceTalk_170725_00137_TA"):
        CoMA(tree / A).items()
    (tmp_path / "other" / A / "laughing").mkdir(parents=True)
    with pytest.raises(FileFormatError, match="no subject folder holds meshes like bareteeth"):
        CoMA(tmp_path / "other").items()
    with pytest.raises(ConfigError, match="neutral_frames"):
        CoMA(tree, neutral_frames=-1)
    with pytest.raises(ConfigError, match="frames must be one of all, middle, extreme"):
        open_importer("coma", tree, {"frames": "some"})
