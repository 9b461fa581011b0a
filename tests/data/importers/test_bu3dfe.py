"""BU-3DFE: the tree as it is shipped, every label, options, and what is wrong named."""

from itertools import product

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.bu3dfe import BU3DFE
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.reading import SourceReader
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.trees import Scan, bnd_text, example_scan, write_bu3dfe_tree, wrl_text

EXPRESSIONS = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
}
SUBJECTS = {"F0001": "WH", "M0044": "AE"}


def names_of(subject, ethnicity):
    emotional = [f"{word}{level:02d}" for word, level in product(EXPRESSIONS, range(1, 5))]
    return [f"{subject}_{word}{ethnicity}" for word in (*emotional, "NE00")]


@pytest.fixture(scope="module")
def scans():
    names = [name for subject in SUBJECTS.items() for name in names_of(*subject)]
    return {name: example_scan(seed) for seed, name in enumerate(names)}


@pytest.fixture(scope="module")
def tree(scans, tmp_path_factory):
    return write_bu3dfe_tree(tmp_path_factory.mktemp("bu3dfe"), scans)


def one_scan(root, name="F0001_AN01WH", **options):
    write_bu3dfe_tree(root, {name: example_scan(0)})
    return BU3DFE(root, **options)


def test_lists_all_scans_with_their_labels(tree, scans):
    items = BU3DFE(tree).items()
    assert len(items) == 2 * 25
    assert [item.where for item in items] == sorted(
        f"{name.split('_')[0]}/{name}_F3D.wrl" for name in scans
    )
    by_name = {item.where.split("/")[1]: item for item in items}
    item = by_name["F0001_SU03WH_F3D.wrl"]
    assert (item.subject, item.sequence, item.frame) == ("F0001", "", 0)
    assert item.labels == {
        "expression": "surprise",
        "bu3dfe_expression": "SU",
        "bu3dfe_intensity": "03",
    }
    assert by_name["M0044_NE00AE_F3D.wrl"].labels["expression"] == "neutral"
    for word, meaning in EXPRESSIONS.items():
        assert by_name[f"M0044_{word}04AE_F3D.wrl"].labels["expression"] == meaning


def test_reads_what_was_written(tree, scans):
    importer = BU3DFE(tree)
    for item in importer.items():
        face = importer.read(item)
        scan = scans[item.where.split("/")[1].removesuffix("_F3D.wrl")]
        np.testing.assert_array_equal(face.vertices.astype(np.float32), scan.vertices)
        np.testing.assert_array_equal(face.faces, scan.faces)
        assert face.landmarks.order == "bu83"
        np.testing.assert_array_equal(face.landmarks.points.astype(np.float32), scan.landmarks)


def test_import_write_import(tree, tmp_path):
    first = BU3DFE(tree)
    items = first.items()[:3]
    faces = [first.read(item) for item in items]
    scans = {
        item.where.split("/")[1].removesuffix("_F3D.wrl"): Scan(
            face.vertices, face.faces, face.landmarks.points
        )
        for item, face in zip(items, faces, strict=True)
    }
    second = BU3DFE(write_bu3dfe_tree(tmp_path, scans))
    assert second.items() == items
    for item, face in zip(items, faces, strict=True):
        again = second.read(item)
        np.testing.assert_array_equal(again.vertices, face.vertices)
        np.testing.assert_array_equal(again.faces, face.faces)
        np.testing.assert_array_equal(again.landmarks.points, face.landmarks.points)


def test_passes_the_checks_of_every_import(tree):
    importer = BU3DFE(tree)
    reader = SourceReader(importer, Conversion("mm", importer.axis_map))
    face = reader.read(importer.items()[0])
    assert face.size.by_eyes
    assert face.size.plausible


def test_levels_that_count_as_labelled(tree):
    items = BU3DFE(tree, levels=(3, 4)).items()
    labelled = [item for item in items if "expression" in item.labels]
    assert len(items) == 50
    assert len(labelled) == 2 * (6 * 2 + 1)
    for item in items:
        assert ("bu3dfe_expression" in item.labels) == ("expression" in item.labels)
        expected = item.where.split("_")[1][2:4]
        assert item.labels["bu3dfe_intensity"] == expected
        assert ("expression" in item.labels) == (expected in ("00", "03", "04"))


def test_kind(tmp_path):
    raw = example_scan(8, rows=8)
    root = write_bu3dfe_tree(tmp_path, {"F0001_AN01WH": raw}, kind="RAW")
    with pytest.raises(FileFormatError, match=r"none of the 1 subject folders.*_AN01WH_F3D.wrl"):
        BU3DFE(root).items()
    importer = BU3DFE(root, kind="RAW")
    assert [item.where for item in importer.items()] == ["F0001/F0001_AN01WH_RAW.wrl"]
    np.testing.assert_array_equal(
        importer.read(importer.items()[0]).vertices.astype(np.float32), raw.vertices
    )


def test_options_are_checked(tmp_path):
    with pytest.raises(ConfigError, match=r"levels: found \[0, 5\], expected some of \[1, 2, 3, 4"):
        open_importer("bu3dfe", tmp_path, {"levels": [0, 3, 5]})
    with pytest.raises(ConfigError, match="kind"):
        open_importer("bu3dfe", tmp_path, {"kind": "F2D"})
    assert open_importer("bu3dfe", tmp_path, {"levels": [2]}) == BU3DFE(tmp_path, levels=(2,))


def test_no_landmarks_no_harm(tmp_path):
    scan = example_scan(0, landmarks=False)
    importer = BU3DFE(write_bu3dfe_tree(tmp_path, {"F0001_AN01WH": scan}))
    assert importer.read(importer.items()[0]).landmarks is None


def test_capitals_and_hidden_files(tmp_path):
    importer = one_scan(tmp_path)
    folder = tmp_path / "F0001"
    (folder / "F0001_AN01WH_F3D.wrl").rename(folder / "F0001_AN01WH_F3D.WRL")
    (folder / "F0001_AN01WH_F3D.bnd").rename(folder / "F0001_AN01WH_F3D.BND")
    (folder / "._F0001_AN01WH_F3D.wrl").write_bytes(b"\x00\x05\x16\x07")
    items = importer.items()
    assert [item.where for item in items] == ["F0001/F0001_AN01WH_F3D.WRL"]
    assert importer.read(items[0]).landmarks is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("F0002_AN01WH", "named for F0002, but in the folder of F0001"),
        ("F0001_XX01WH", "XX is none of AN DI FE HA NE SA SU"),
        ("F0001_AN05WH", "AN has intensity 05, expected 01, 02, 03, 04"),
        ("F0001_AN00WH", "AN has intensity 00"),
        ("F0001_NE01WH", "NE has intensity 01, expected 00"),
        ("F0001_angry", "the name is not like F0001_AN01WH_F3D.wrl"),
    ],
)
def test_a_wrong_name_is_listed_and_refused(tmp_path, name, message):
    importer = one_scan(tmp_path)
    (tmp_path / "F0001" / f"{name}_F3D.wrl").write_text(wrl_text(example_scan(1)))
    wrong = [item for item in importer.items() if name in item.where]
    assert len(wrong) == 1
    assert wrong[0].labels == {}
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.read(wrong[0])
    assert f"{name}_F3D.wrl" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("F0001_AN01WH_F3D.wrl", "", "is empty"),
        ("F0001_AN01WH_F3D.wrl", wrl_text(example_scan(0))[:300], "cut short"),
        ("F0001_AN01WH_F3D.wrl", "v 0 0 0\n", "does not begin with #VRML"),
        ("F0001_AN01WH_F3D.bnd", "", "the file is empty"),
        ("F0001_AN01WH_F3D.bnd", bnd_text(example_scan(0).landmarks[:80]), "holds 80 points"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, content, message):
    importer = one_scan(tmp_path)
    (tmp_path / "F0001" / file).write_text(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.read(importer.items()[0])
    assert file in str(caught.value)


def test_a_file_that_is_gone(tmp_path):
    importer = one_scan(tmp_path)
    items = importer.items()
    (tmp_path / items[0].where).unlink()
    with pytest.raises(FileFormatError, match="no such file"):
        importer.read(items[0])


def test_another_folder_is_told_apart(tmp_path):
    with pytest.raises(FileFormatError, match=r"no subject folder like F0001 \(found: nothing\)"):
        BU3DFE(tmp_path).items()
    one_scan(tmp_path / "BU_3DFE")
    with pytest.raises(FileFormatError, match=r"found: BU_3DFE\); give the folder that holds"):
        BU3DFE(tmp_path).items()
    with pytest.raises(FileFormatError, match="none: has no subject folder"):
        BU3DFE(tmp_path / "none").items()
