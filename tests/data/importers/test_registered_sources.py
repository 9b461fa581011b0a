"""All registered sources through the whole import: into a data set, and identically out of it."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from meshgan.apps.import_data import ImportSettings, import_data
from meshgan.data.importers import open_importer
from meshgan.data.importers.conversion import Conversion
from meshgan.data.store import Store
from tests.data.importers.example_faces import bumpy_face, grid_faces, grid_vertices
from tests.data.importers.registered_trees import (
    bilinear_arrays,
    face_frames,
    flame_arrays,
    ply_bytes,
    write_biwi_tree,
    write_coma_tree,
    write_converted_biwi,
    write_facescape_tree,
    write_facewarehouse_tree,
    write_vocaset,
)
from tests.data.importers.test_bfm import write_2009, write_h5

A, B = "FaceTalk_170725_00137_TA", "FaceTalk_170728_03272_TA"
SPOKEN = {("F1", "01"): face_frames(1, 3), ("M2", "e01"): face_frames(2, 3)}


def vocaset(root: Path) -> Path:
    write_vocaset(
        root, {(A, "sentence01"): face_frames(1, 3), (B, "sentence01"): face_frames(2, 2)}
    )
    (root / "FLAME_sample.ply").write_bytes(ply_bytes(grid_vertices() / 1000, grid_faces()))
    return root


def flame(root: Path) -> Path:
    root.mkdir()
    (root / "generic_model.pkl").write_bytes(pickle.dumps(flame_arrays(), 2))
    return root


def bilinear(root: Path) -> Path:
    root.mkdir()
    np.savez(root / "facescape_bm_v1.6_847_50_52_id_front.npz", **bilinear_arrays())
    return root


def in_folder(write: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        root.mkdir()
        write(root / name)
        return root

    return make


SOURCES = {
    "biwi": ("biwi", lambda root: write_biwi_tree(root, SPOKEN), {}),
    "biwi arrays": ("biwi", lambda root: write_converted_biwi(root, SPOKEN), {}),
    "coma": (
        "coma",
        lambda root: write_coma_tree(
            root, {(A, "mouth_up"): face_frames(1, 3), (B, "mouth_up"): face_frames(2, 3)}
        ),
        {},
    ),
    "vocaset": ("vocaset", vocaset, {}),
    "facescape": (
        "facescape",
        lambda root: write_facescape_tree(
            root, {(k, name): bumpy_face(k) for k in (1, 2) for name in ("1_neutral",)}
        ),
        {},
    ),
    "facescape model": ("facescape", bilinear, {"count": 6, "subjects": 2}),
    "facewarehouse": (
        "facewarehouse",
        lambda root: write_facewarehouse_tree(
            root, {k: np.stack([bumpy_face(k), bumpy_face(k + 9)]) / 100 for k in (1, 2)}
        ),
        {},
    ),
    "bfm 2009": ("bfm", in_folder(write_2009, "01_MorphableModel.mat"), {"count": 2}),
    "bfm 2019": ("bfm", in_folder(write_h5, "model2019.h5"), {"count": 6, "subjects": 2}),
    "flame": ("flame", flame, {"count": 6, "subjects": 2}),
}


@pytest.mark.parametrize("name", list(SOURCES))
def test_import_and_out_again(tmp_path, name):
    word, write, options = SOURCES[name]
    root = write(tmp_path / "source")
    settings = ImportSettings(align="none")
    summary = import_data(word, root, tmp_path / "data", options=options, settings=settings)
    assert summary["ok"], summary["problems"]
    importer = open_importer(word, root, options)
    items = importer.items()
    assert summary["imported"] == len(items)
    store = Store(tmp_path / "data")
    conversion = Conversion(importer.unit, importer.axis_map)
    expected = np.stack([conversion.positions(importer.read(item).vertices) for item in items])
    found = np.asarray(store.vertices(np.arange(store.count)))
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert 120 < np.ptp(found[0, :, 1]) < 260
    assert len(store.subjects) == 2
    again = import_data(word, root, tmp_path / "again", options=options, settings=settings)
    assert again["imported"] == summary["imported"]
    second = Store(tmp_path / "again")
    np.testing.assert_array_equal(second.vertices(np.arange(second.count)), found)
    for factor in store.factors:
        np.testing.assert_array_equal(second.labels(factor), store.labels(factor))
    neutral = store.factors["expression"].index("neutral")
    assert (store.labels("expression") == neutral).any()


def test_a_damaged_file_is_named_and_the_rest_imported(tmp_path):
    root = SOURCES["coma"][1](tmp_path / "source")
    (root / A / "mouth_up" / "mouth_up.000002.ply").write_bytes(b"ply\n")
    (root / B / "mouth_up" / "mouth_up.000003.ply").write_bytes(b"")
    summary = import_data("coma", root, tmp_path / "data")
    assert not summary["ok"]
    assert summary["imported"] == 4
    assert [problem.split(": ")[0] for problem in summary["problems"]] == [
        f"{A}/mouth_up/mouth_up.000002.ply",
        f"{B}/mouth_up/mouth_up.000003.ply",
    ]


def test_metres_that_are_millimetres_are_found_out(tmp_path):
    frames = {(A, "mouth_up"): face_frames(1, 3) * 1000}
    root = write_coma_tree(tmp_path / "source", frames)
    with pytest.raises(ValueError, match="it is rather in mm; give --unit mm"):
        import_data("coma", root, tmp_path / "data")
    summary = import_data("coma", root, tmp_path / "d", settings=ImportSettings(unit="mm"))
    assert summary["imported"] == 3
