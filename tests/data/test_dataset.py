"""MeshDataset: people stay on one side, weights and statistics as by hand, images cached safely."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data import image_cache
from meshgan.data.dataset import MeshDataset, geometry_images
from meshgan.data.image_cache import map_displacements
from meshgan.data.splits import read_split, split_subjects, write_split
from meshgan.data.store import FaceRows, Store, StoreWriter
from meshgan.errors import FileFormatError, InputError, JobError, ShapeError
from meshgan.geometry.geometry_image import lookup_matrix
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.geometry_map import GeometryMap
from tests.data.store_examples import random_rows, strip_template

TEMPLATE = strip_template()
PEOPLE = tuple(f"p{k}" for k in range(10))
EXPRESSION = np.array([-1, 0, 0, 0, 1, -1, 2, 0, 1, -1] * 7)


@pytest.fixture
def folder(tmp_path):
    """70 meshes of 10 people; 28 neutral, 14 happy, 7 sad, no angry face, 21 unlabelled."""
    count = 70
    people = np.arange(count) % 10
    rows = replace(
        random_rows(TEMPLATE, count),
        labels={"identity": people, "expression": EXPRESSION},
        subject=people,
    )
    factors = {"identity": PEOPLE, "expression": ("neutral", "happiness", "sadness", "anger")}
    with StoreWriter.create(
        tmp_path / "data", TEMPLATE, factors, PEOPLE, {}, shard_rows=16
    ) as writer:
        writer.append(rows)
    return tmp_path / "data"


@pytest.fixture
def everyone(folder):
    return MeshDataset(Store.open(folder), split=None)


@pytest.fixture
def lookup():
    return rasterize_uv(TEMPLATE.mesh.uv, TEMPLATE.mesh.faces, size_px=8)


# Splits


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, 60),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    seed=st.integers(0, 9),
)
def test_everyone_is_in_one_part(count, validation, test, seed):
    people = [f"s{k}" for k in range(count)]
    split = split_subjects(people, validation, test, seed)
    assert sorted(split["train"] + split["validation"] + split["test"]) == sorted(people)
    assert split["train"]
    assert split == split_subjects(people[::-1], validation, test, seed)
    if count >= 3:
        assert bool(split["test"]) == (test > 0)
        assert bool(split["validation"]) == (validation > 0)
        assert len(split["test"]) in (1, round(count * test))


def test_seeds_choose_other_people():
    chosen = {split_subjects(PEOPLE, seed=seed)["test"] for seed in range(20)}
    assert len(chosen) > 4


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.1), (0.5, 0.5), (1.0, 0.0)])
def test_refuses_shares_out_of_range(validation, test):
    with pytest.raises(InputError, match="shares validation"):
        split_subjects(PEOPLE, validation, test)


def test_frames_of_one_person_stay_together(folder):
    parts = [MeshDataset(folder, split) for split in ("train", "validation", "test")]
    people = [set(part.subject.tolist()) for part in parts]
    assert [len(part) for part in people] == [8, 1, 1]
    assert not people[0] & people[1] | people[0] & people[2] | people[1] & people[2]
    assert sum(part.count for part in parts) == 70


def test_stored_split_counts(folder):
    write_split(folder, {"train": PEOPLE[:7], "validation": PEOPLE[7:9], "test": PEOPLE[9:]})
    assert set(MeshDataset(folder, "validation").subject.tolist()) == {7, 8}
    assert set(MeshDataset(folder, "test").subject.tolist()) == {9}


def test_stored_split_is_checked(folder):
    write_split(folder, {"train": PEOPLE[:8], "validation": ("p8", "p0"), "test": ("zoe",)})
    with pytest.raises(FileFormatError) as caught:
        read_split(folder, PEOPLE)
    for part in ("'p0' stands twice", "'zoe' is not in the data set", "'p9' is in no part"):
        assert part in str(caught.value)
    (folder / "split.json").write_text("[]")
    with pytest.raises(FileFormatError, match="expected lists of names"):
        MeshDataset(folder)


def test_refuses_an_empty_part(folder):
    write_split(folder, {"train": PEOPLE, "validation": (), "test": ()})
    with pytest.raises(InputError, match="no mesh in part 'test'"):
        MeshDataset(folder, "test")


# Content


def test_content_is_that_of_the_rows(folder):
    dataset = MeshDataset(folder, "train")
    rows = Store.open(folder).rows(dataset.ids)
    samples = np.array([3, 0, dataset.count - 1])
    np.testing.assert_array_equal(dataset.vertices(samples), rows.vertices[samples])
    np.testing.assert_array_equal(dataset.labels("expression"), rows.labels["expression"])
    np.testing.assert_array_equal(
        dataset.displacements(samples),
        rows.vertices[samples] - TEMPLATE.mesh.vertices.astype(np.float32),
    )
    with pytest.raises(InputError, match="no sample"):
        dataset.vertices(np.array([dataset.count]))


def test_statistics_as_with_everything_in_memory(everyone):
    moved = random_rows(TEMPLATE, 70).vertices.astype(np.float64) - TEMPLATE.mesh.vertices
    np.testing.assert_allclose(everyone.mean(), moved.mean(axis=0), atol=1e-6)
    assert everyone.rms() == pytest.approx((moved - moved.mean(axis=0)).std(), rel=1e-6)


# Class weights


def test_inverse_frequency_by_hand(everyone):
    weights = everyone.class_weights("expression")
    # shares of labelled samples: 28/49, 14/49, 7/49; each label weighs as much as another
    np.testing.assert_allclose(weights, [49 / 28 / 3, 49 / 14 / 3, 49 / 7 / 3, 0], rtol=1e-12)


def test_rare_events_by_hand(everyone):
    population = {"neutral": 8, "happiness": 1, "sadness": 1, "anger": 5}
    weights = everyone.class_weights("expression", "rare_events", population)
    ratios = np.array([0.8 / (28 / 49), 0.1 / (14 / 49), 0.1 / (7 / 49), 0])
    np.testing.assert_allclose(weights / weights[0], ratios / ratios[0], rtol=1e-12)
    np.testing.assert_allclose(
        everyone.class_weights("expression", "rare_events"),
        everyone.class_weights("expression", "inverse_frequency"),
    )


def test_no_weighting(everyone):
    np.testing.assert_allclose(everyone.class_weights("expression", "none"), [1, 1, 1, 0])


@pytest.mark.parametrize("kind", ["inverse_frequency", "rare_events", "none"])
@pytest.mark.parametrize("factor", ["identity", "expression"])
def test_mean_weight_is_one(everyone, factor, kind):
    labels = everyone.labels(factor)
    weights = everyone.class_weights(factor, kind)
    assert weights[labels[labels >= 0]].mean() == pytest.approx(1, rel=1e-12)


def test_refuses_wrong_weightings(everyone):
    with pytest.raises(InputError, match="only rare_events"):
        everyone.class_weights("expression", "none", {"neutral": 1})
    with pytest.raises(InputError, match="a positive share for each of neutral"):
        everyone.class_weights("expression", "rare_events", {"neutral": 1})
    with pytest.raises(InputError, match="no factor 'viseme'"):
        everyone.class_weights("viseme")


# Geometry images


def test_images_are_those_of_the_layer(everyone, lookup):
    images = geometry_images(everyone, lookup)
    moved = torch.from_numpy(everyone.displacements(np.arange(70)))
    expected = GeometryMap(lookup)(moved.double()).numpy()
    assert (images.shape, images.dtype) == ((70, 3, 8, 8), np.float32)
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_images_are_those_of_the_matrix(lookup):
    moved = np.random.default_rng(0).normal(size=(5, 12, 3)).astype(np.float32)
    matrix = lookup_matrix(lookup, torch.float64).to_dense().numpy()
    expected = np.einsum("pv,bvc->bcp", matrix, moved).reshape(5, 3, 8, 8)
    np.testing.assert_allclose(map_displacements(moved, lookup), expected, atol=1e-6)


def test_half_precision(everyone, lookup):
    images = geometry_images(everyone, lookup, "float16")
    assert images.dtype == np.float16
    np.testing.assert_allclose(images, geometry_images(everyone, lookup), atol=0.004)


def cache_files(folder):
    return sorted((folder / "cache").iterdir())


def test_images_are_mapped_once(folder, lookup, monkeypatch):
    dataset = MeshDataset(folder)
    first = np.array(geometry_images(dataset, lookup))
    (path,) = cache_files(folder)
    stamp = path.stat().st_mtime_ns
    monkeypatch.setattr("meshgan.data.image_cache._write", None)
    np.testing.assert_array_equal(geometry_images(dataset, lookup), first)
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("damage", ["cut", "flipped", "nonsense", "empty"])
def test_damaged_cache_is_made_again(folder, lookup, damage, caplog):
    dataset = MeshDataset(folder)
    expected = np.array(geometry_images(dataset, lookup))
    (path,) = cache_files(folder)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[200] ^= 0xFF
    kept = {"cut": content[:-9], "flipped": content, "nonsense": b"abc", "empty": b""}[damage]
    path.write_bytes(kept)
    np.testing.assert_array_equal(geometry_images(dataset, lookup), expected)
    assert "damaged or out of date" in caplog.text


def test_other_content_has_another_name(folder, lookup):
    geometry_images(MeshDataset(folder), lookup)
    geometry_images(MeshDataset(folder, "test"), lookup)
    geometry_images(MeshDataset(folder), lookup, "float16")
    finer = rasterize_uv(TEMPLATE.mesh.uv, TEMPLATE.mesh.faces, size_px=9)
    geometry_images(MeshDataset(folder), finer)
    before = len(cache_files(folder))
    with StoreWriter.append_to(folder) as writer:
        rows = random_rows(TEMPLATE, 1, start=70)
        labels = {"identity": np.array([1]), "expression": np.array([-1])}
        writer.append(replace(rows, labels=labels, subject=np.array([1])))
    images = geometry_images(MeshDataset(folder, None), lookup)
    assert len(images) == 71
    assert (before, len(cache_files(folder))) == (4, 5)


def test_refuses_another_topology(folder):
    other = strip_template(columns=7).mesh
    with pytest.raises(ShapeError, match="12 vertices, the pixel lookup 14"):
        geometry_images(MeshDataset(folder), rasterize_uv(other.uv, other.faces, 8))


def test_full_disk_leaves_no_cache(folder, lookup, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.lib.format.write_array_header_1_0", full)
    with pytest.raises(JobError, match="No space left"):
        geometry_images(MeshDataset(folder), lookup)
    assert not cache_files(folder)


def test_one_person_trains_alone(tmp_path):
    rows = random_rows(TEMPLATE, 3)
    alone = FaceRows(
        rows.vertices, {"identity": np.zeros(3, int)}, np.zeros(3, int), rows.sequence, rows.frame
    )
    with StoreWriter.create(tmp_path / "d", TEMPLATE, {"identity": ("a",)}, ("a",), {}) as writer:
        writer.append(alone)
    assert MeshDataset(tmp_path / "d").count == 3
    with pytest.raises(InputError, match="no mesh in part 'test'"):
        MeshDataset(tmp_path / "d", "test")


def test_images_give_their_pages_back(tmp_path, monkeypatch):
    if not Path("/proc/self/smaps").exists():
        pytest.skip("needs /proc, which only Linux has")
    path = tmp_path / "images.npy"
    content = np.random.default_rng(0).random((400, 3, 32, 32)).astype(np.float32)  # 4.9 MB
    np.save(path, content)
    images = image_cache._open(path, content.shape, "float32")

    def resident_kb():
        lines = iter(Path("/proc/self/smaps").read_text().splitlines())
        for line in lines:
            if line.endswith("images.npy"):
                return next(int(text.split()[1]) for text in lines if text.startswith("Rss:"))
        return 0

    images[np.arange(50)]
    assert resident_kb() > 500
    monkeypatch.setattr(image_cache, "KEPT_BYTES", 2**16)
    for start in range(0, 400, 50):
        rows = np.random.default_rng(start).permutation(400)[:50]
        np.testing.assert_array_equal(images[rows], content[rows])
        assert resident_kb() < 300
    part = images[3]  # a view is no copy
    np.testing.assert_array_equal(part, content[3])
    assert type(images[np.array([1])]) is np.ndarray
