"""Nearest mesh: exactly what comparing all pairs finds, after reading next to none of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.proximity import (
    brute_force_nearest,
    coherent_order,
    mean_vertex_distance,
    nearest_mesh,
)
from tests.geometry import shapes


class SpyRows:
    """Meshes that count how many of them were read by id."""

    def __init__(self, meshes: np.ndarray) -> None:
        self.meshes, self.read = meshes, 0

    def __len__(self) -> int:
        return len(self.meshes)

    def __getitem__(self, which) -> np.ndarray:
        self.read += 0 if isinstance(which, slice) else len(which)
        return self.meshes[which]


def smooth_meshes(count: int, seed: int, edge: int = 24) -> np.ndarray:
    """A sheet of edge^2 vertices (100 mm) bent by a few long waves."""
    rng = np.random.default_rng(seed)
    uv = shapes.flat_square(edge).uv
    waves = np.cos(uv @ rng.normal(size=(2, 8)) * 3 + rng.normal(size=8))
    sheet = 100 * np.pad(uv, ((0, 0), (0, 1)))
    return (sheet + np.einsum("vm,nmc->nvc", waves, rng.normal(size=(count, 8, 3)))).astype("f4")


def by_hand(queries: np.ndarray, references: np.ndarray) -> tuple[list[float], list[int]]:
    """All pairs in float64 with a plain norm."""
    table = np.array(
        [
            [np.linalg.norm(q - r, axis=1).mean() for r in references.astype(float)]
            for q in queries.astype(float)
        ]
    )
    return table.min(axis=1), table.argmin(axis=1)


def test_distance_by_hand():
    one = np.array([[0.0, 0, 0], [1, 1, 1]])
    other = np.array([[3.0, 4, 0], [1, 1, 0]])  # 5 and 1
    assert mean_vertex_distance(one, other) == 3
    assert mean_vertex_distance(torch.from_numpy(one), torch.from_numpy(other)).item() == 3
    table = mean_vertex_distance(np.stack([one, other])[:, None], np.stack([one, other])[None])
    assert table.tolist() == [[0, 3], [3, 0]]


def test_distance_gradient():
    pair = torch.randn(2, 3, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: mean_vertex_distance(p[0], p[1]), pair)


@pytest.mark.parametrize("find", [nearest_mesh, brute_force_nearest])
def test_finds_what_a_loop_finds(find):
    references, queries = smooth_meshes(40, 0), smooth_meshes(6, 1)
    distance, index = find(queries, references)
    expected_distance, expected_index = by_hand(queries, references)
    assert index.tolist() == expected_index.tolist()
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    vertices=st.sampled_from([1, 3, 20, 70, 300]),
    references=st.integers(1, 80),
    block=st.sampled_from([1, 7, 64]),
    offset=st.sampled_from([0.0, 5000.0]),
)
def test_equals_brute_force_on_noise(seed, vertices, references, block, offset):
    # noise is the worst case: the bounds exclude nothing, and must not exclude the answer
    rng = np.random.default_rng(seed)
    many = (rng.normal(size=(references, vertices, 3)) + offset).astype(np.float32)
    few = (rng.normal(size=(3, vertices, 3)) + offset).astype(np.float32)
    found = nearest_mesh(few, many, block=block)
    expected = brute_force_nearest(few, many)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_order_and_storage_do_not_matter(tmp_path):
    references, queries = smooth_meshes(150, 2), smooth_meshes(5, 3)
    expected = nearest_mesh(queries, references)
    order = np.random.default_rng(0).permutation(references.shape[1])
    stored = np.memmap(tmp_path / "meshes", np.float32, "w+", shape=references.shape)
    stored[:] = references
    for other in (
        nearest_mesh(queries, references, order=order),
        nearest_mesh(queries, stored),
        nearest_mesh(queries, SpyRows(references), block=11),
        nearest_mesh(queries.astype(np.float64), references),
    ):
        np.testing.assert_array_equal(other[0], expected[0])
        np.testing.assert_array_equal(other[1], expected[1])


def test_reads_next_to_nothing():
    spy = SpyRows(smooth_meshes(500, 4))
    nearest_mesh(smooth_meshes(10, 5), spy)
    assert spy.read < 0.02 * 10 * 500


def test_finds_itself_and_the_first_of_equals():
    references = smooth_meshes(30, 6)
    references[20] = references[5]
    distance, index = nearest_mesh(references[[20, 7]], references)
    assert index.tolist() == [5, 7]
    assert distance.tolist() == [0, 0]


def test_rounding_alone_decides():
    # the same 16 displacements in many orders: all bounds are tight, all distances equal but for
    # the last bits, and the smallest must still be found
    rng = np.random.default_rng(0)
    query = np.zeros((1, 16, 3), dtype=np.float32)
    steps = rng.normal(size=(16, 3)).astype(np.float32)
    references = np.stack([rng.permutation(steps) for _ in range(300)])
    found, expected = nearest_mesh(query, references), brute_force_nearest(query, references)
    assert found[1].tolist() == expected[1].tolist()
    assert found[0].tolist() == expected[0].tolist()


def test_first_of_many_equals():
    one = smooth_meshes(1, 9)
    assert nearest_mesh(one + 1, np.repeat(one, 100, axis=0))[1].tolist() == [0]


def test_coherent_order():
    points = np.random.default_rng(0).random((1024, 3)) * [4, 1, 0.1]
    order = coherent_order(points, 16)
    assert sorted(order.tolist()) == list(range(1024))
    widths = [np.ptp(part, axis=0).max() for part in np.split(points[order], 16)]
    assert max(widths) < 0.7  # 16 pieces of a 4 x 1 sheet: about 0.5 each
    assert sorted(coherent_order(points[:5], 16).tolist()) == list(range(5))


def test_refusals():
    meshes = smooth_meshes(3, 7)
    with pytest.raises(InputError, match="no reference meshes"):
        nearest_mesh(meshes, meshes[:0])
    with pytest.raises(ShapeError, match="queries have 575 vertices, references 576"):
        nearest_mesh(meshes[:, 1:], meshes)
    with pytest.raises(ShapeError, match="575 and 576 vertices"):
        mean_vertex_distance(meshes[0, 1:], meshes[0])
    broken = meshes.copy()
    broken[2, 4] = np.nan
    with pytest.raises(InputError, match="mesh 2 has a vertex that is not finite"):
        nearest_mesh(meshes, broken)
