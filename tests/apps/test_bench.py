"""Benchmarks by name: they run, give the promised numbers, and refuse bad questions."""

from functools import cache

import pytest

from meshgan.apps.bench import NAMES, run_benchmark
from meshgan.errors import InputError

once = cache(lambda name: run_benchmark(name, rounds=1, small=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.xdist_group("bench")
def test_gives_what_is_promised(name):
    found = once(name)
    assert found["bench"] == name
    assert found["ms"] > 0
    assert found["plain_ms"] > 0
    assert found["ratio"] > 0


@pytest.mark.xdist_group("bench")
def test_register_gives_both_errors_of_every_method():
    for rows in once("register")["errors_mm"].values():
        ours, amberg = rows["ours"], rows["amberg"]
        assert ours["vertex_mean"] < amberg["vertex_mean"]
        assert 0 < ours["surface_mean"] < ours["vertex_mean"]
        assert ours["folded_elsewhere"] == 0
        assert rows.keys() >= {"sumner", "ours_without_landmarks", "amberg_without_landmarks"}


def test_train_says_where_the_time_goes():
    found = run_benchmark("train", rounds=1, small=True, precision="bf16")
    assert found["parts_ms"].keys() == found["plain_parts_ms"].keys()
    assert found["parts_ms"].keys() == {"discriminator", "generator"}
    assert found["floor"]["total_ms"] > 0
    assert found["peak_memory_mb"] > 0


def test_fit_is_as_good_as_the_plain_way_at_any_size():
    found = once("fit")
    assert found["objective"] <= 1.001 * found["plain_objective"]
    assert found["cost_by_vertices"] > 0


def test_refuses():
    with pytest.raises(InputError, match="bench cooking: expected one of train"):
        run_benchmark("cooking", 1, True)
    with pytest.raises(InputError, match="--rounds 0"):
        run_benchmark("uv", 0, True)
