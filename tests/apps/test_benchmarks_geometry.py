"""The benchmarks compare like with like: same job, same answer, honest ratio."""

import numpy as np
import pytest
import torch

from meshgan.apps.benchmarks import geometry, specificity, timing, uv
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.errors import InputError
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.geometry.topology import is_disk
from meshgan.models.geometry_map import GeometryMap


class Clock:
    """Time that passes only when a job says so."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, []

    def job(self, name: str, *seconds: float):
        left = list(seconds)

        def work() -> None:
            self.calls.append(name)
            self.now += left.pop(0)

        return work


def test_alternates_and_takes_the_median_of_ratios(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    fast, plain = clock.job("fast", 99, 1, 2, 1), clock.job("plain", 99, 3, 4, 10)
    found = timing.alternate(fast, plain, rounds=3)
    assert clock.calls == ["fast", "plain", "fast", "plain", "plain", "fast", "fast", "plain"]
    assert (found.ms, found.plain_ms, found.ratio) == (1000, 4000, 3)  # ratios 3, 2, 10
    assert (found.ratio_low, found.ratio_high) == (2.5, 6.5)
    assert found.as_dict()["rounds"] == 3


def test_refuses_no_rounds():
    with pytest.raises(InputError, match="0 rounds"):
        timing.alternate(lambda: None, lambda: None, rounds=0)


@pytest.mark.parametrize("bench", [geometry, uv, specificity])
def test_runs_small(bench):
    found = bench.run(rounds=2, small=True)
    assert {"ms", "plain_ms", "ratio", "what"} <= found.keys()
    assert min(found["ms"], found["plain_ms"], found["ratio"]) > 0


def test_the_disk_is_one():
    mesh = delaunay_disk(500)
    assert mesh.vertex_count == 500
    assert is_disk(mesh.vertex_count, mesh.faces)


def test_plain_ways_do_the_same_job():
    mesh = delaunay_disk(200)
    lookup = rasterize_uv(mesh.uv, mesh.faces, 12)
    face_ids, weights = uv.plain_lookup(mesh.uv, mesh.faces, 12)
    same = face_ids == lookup.faces_of_pixels.numpy()
    assert same.mean() > 0.98
    np.testing.assert_allclose(weights[same], lookup.weights.numpy()[same], atol=1e-9)
    geometry_map = GeometryMap(lookup).float()
    values = torch.randn(2, 200, 3)
    torch.testing.assert_close(geometry.plain_map(geometry_map, values), geometry_map(values))
