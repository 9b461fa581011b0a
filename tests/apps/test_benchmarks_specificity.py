"""``bench specificity --size paper``, tiny: honest data, and answers that are checked."""

import numpy as np
import pytest
import torch

from meshgan.apps.bench import run_benchmark
from meshgan.apps.benchmarks import memory, specificity_paper
from meshgan.apps.benchmarks.specificity_data import PAPER, TINY, FaceMaker, Size
from meshgan.errors import InputError, JobError
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.specificity import Specificity


@pytest.fixture(scope="module")
def maker():
    return FaceMaker(TINY)


def test_is_the_papers_size():
    assert (PAPER.queries, PAPER.meshes, PAPER.vertices) == (1000, 30_559, 22_129)


def test_runs_and_checks_itself():
    found = run_benchmark("specificity", 2, small=True, size="paper")
    assert found["ratio"] > 0
    assert found["faces_checked_against_all"] == 5
    assert 0 < found["memory_before_mb"] <= found["peak_memory_mb"] + 1
    assert 0.5 < found["specificity_mm"] < 20


def test_extra_vertices_lie_in_the_middle_of_long_edges(maker):
    first = maker.source.template.vertex_count
    faces = maker.fresh_people(2)
    assert faces.shape == (2, TINY.vertices, 3)
    assert maker.template.vertex_count == TINY.vertices
    a, b = maker.ends.T
    np.testing.assert_allclose(faces[:, first:], (faces[:, a] + faces[:, b]) / 2, atol=1e-4)
    edges = maker.source.template.mesh
    length = np.linalg.norm(edges.vertices[a] - edges.vertices[b], axis=1)
    corners = edges.vertices[edges.faces]
    assert length[0] == pytest.approx(
        np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max()
    )


def test_queries_are_other_people(maker, tmp_path):
    store = maker.write(tmp_path / "data", 80)
    assert len(store) == 80
    queries = maker.fresh_people(6)
    gap = np.linalg.norm(store.vertices(np.arange(80))[:, None] - queries, axis=-1).mean(axis=-1)
    assert gap.min() > 0.5
    assert np.unique(queries, axis=0).shape[0] == 6


def test_a_wrong_answer_is_noticed(maker, tmp_path):
    store = maker.write(tmp_path / "data", 80)
    queries = maker.fresh_people(6)
    wrong = torch.full((6,), 1e3)
    found = Specificity(Estimate.of(wrong), wrong, torch.zeros(6, dtype=torch.int64))
    with pytest.raises(JobError, match="5 of 5 answers differ"):
        specificity_paper._check(found, queries, store)
    by_pairs = np.ones(6, dtype=np.float32), np.zeros(6, dtype=np.int64)
    with pytest.raises(JobError, match="found a nearer mesh"):
        specificity_paper._compare_part(found, by_pairs, np.arange(80))


def test_refuses_what_cannot_be_made(maker, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="10 vertices, expected at least the"):
        FaceMaker(Size(1, 1, 10, "low"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_000})())
    with pytest.raises(JobError, match="set TMPDIR to a larger disk"):
        maker.write(tmp_path / "data", 80)


def test_peak_memory_is_counted_from_a_chosen_moment():
    block = np.ones(40_000_000)  # 320 MB
    high = memory.peak_memory_mb()
    assert high > 320
    del block
    if not memory.forget_peak():
        pytest.skip("this system counts the peak from the start only")
    assert memory.peak_memory_mb() < high - 200
