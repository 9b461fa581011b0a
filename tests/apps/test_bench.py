"""Benchmarks by name: they run, give the promised numbers, and refuse bad questions."""

import pytest

from meshgan.apps.bench import NAMES, run_benchmark
from meshgan.errors import InputError


@pytest.mark.parametrize("name", NAMES)
def test_gives_what_is_promised(name):
    found = run_benchmark(name, rounds=1, small=True)
    assert found["bench"] == name
    assert found["ms"] > 0
    assert found["plain_ms"] > 0
    assert found["ratio"] > 0


def test_train_says_where_the_time_goes():
    found = run_benchmark("train", rounds=1, small=True, precision="bf16")
    assert found["parts_ms"].keys() == found["plain_parts_ms"].keys()
    assert found["parts_ms"].keys() == {"discriminator", "generator"}
    assert found["floor"]["total_ms"] > 0
    assert found["peak_memory_mb"] > 0


def test_refuses():
    with pytest.raises(InputError, match="bench cooking: expected one of train"):
        run_benchmark("cooking", 1, True)
    with pytest.raises(InputError, match="--rounds 0"):
        run_benchmark("uv", 0, True)
