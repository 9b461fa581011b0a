"""The cache: whole, of this version, or built again; never a pickle, never half a file."""

import multiprocessing

import numpy as np
import pytest

from meshgan.data.synthetic.cache import cached_arrays

MADE_FROM = {"version": 1}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Builder:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"values": np.arange(10_000.0), "names": np.array(["a", "b"])}


def test_builds_once():
    build = Builder()
    for _ in range(3):
        arrays = cached_arrays("thing", MADE_FROM, build)
    assert build.calls == 1
    np.testing.assert_array_equal(arrays["values"], np.arange(10_000.0))
    assert set(arrays) == {"values", "names"}


def test_another_version_is_built_again():
    build = Builder()
    cached_arrays("thing", {"version": 1}, build)
    cached_arrays("thing", {"version": 2}, build)
    cached_arrays("thing", {"version": 2}, build)
    assert build.calls == 2


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def _flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def _empty(path):
    path.write_bytes(b"")


def _other_numbers_with_the_old_checksum(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["values"][3] = -1
    np.savez(path, **arrays)


def _pickle(path):
    np.savez(path, values=np.array([{}], dtype=object))


def _array_missing(path):
    with np.load(path) as file:
        np.savez(path, **{name: file[name] for name in file.files if name != "names"})


@pytest.mark.parametrize(
    "damage",
    [
        *(_truncate, _flip_a_byte, _empty, _other_numbers_with_the_old_checksum, _pickle),
        _array_missing,
    ],
)
def test_a_damaged_file_is_built_again(folder, damage):
    build = Builder()
    cached_arrays("thing", MADE_FROM, build)
    damage(folder / "thing.npz")
    arrays = cached_arrays("thing", MADE_FROM, build)
    assert build.calls == 2
    np.testing.assert_array_equal(arrays["values"], np.arange(10_000.0))
    cached_arrays("thing", MADE_FROM, build)
    assert build.calls == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MESHGAN_CACHE", str(tmp_path / "file"))
    arrays = cached_arrays("thing", MADE_FROM, Builder())
    assert len(arrays["values"]) == 10_000
    assert "cannot be written" in caplog.text


def _build_in_process(number: int) -> float:
    arrays = cached_arrays("shared", MADE_FROM, lambda: {"values": np.full(200_000, 7.0)})
    return float(arrays["values"].sum())


def test_several_may_build_at_once(folder):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_build_in_process, range(4)) == [1_400_000.0] * 4
    assert [path.name for path in folder.iterdir()] == ["shared.npz"]  # no temporary file left
