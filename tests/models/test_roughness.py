"""The regulariser that knows where faces are rough: energies by hand, weights that keep the sum."""

import numpy as np
import scipy.sparse as sp

from meshgan.models.roughness import vertex_energies, weigh_by_data


def plain_energy(operator, meshes):
    return sum(float(((operator @ mesh) ** 2).sum()) for mesh in meshes) / len(meshes)


def test_energies_add_up_to_the_mean_of_the_norms():
    rng = np.random.default_rng(0)
    operator = sp.csr_matrix(rng.normal(size=(7, 7)))
    meshes = rng.normal(size=(5, 7, 3))
    energies = vertex_energies(operator, meshes)
    assert energies.shape == (7,)
    np.testing.assert_allclose(energies.sum(), plain_energy(operator, meshes))
    by_hand = np.mean([((operator[2].toarray() @ mesh) ** 2).sum() for mesh in meshes])
    np.testing.assert_allclose(energies[2], by_hand)


def test_data_keep_their_energy_and_quiet_places_count_more():
    rng = np.random.default_rng(1)
    operator = sp.csr_matrix(np.eye(40))
    rough = np.where(np.arange(40) < 2, 100.0, 1.0)  # two lids, and skin
    meshes = rng.normal(size=(300, 40, 3)) * rough[:, None]
    weighed = weigh_by_data(operator, vertex_energies(operator, meshes), np.ones(40))
    np.testing.assert_allclose(plain_energy(weighed, meshes), plain_energy(operator, meshes))
    shares = vertex_energies(weighed, meshes)
    before = vertex_energies(operator, meshes)
    assert before[2:].sum() / before.sum() < 0.003  # the lids were all that counted
    assert shares[2:].sum() / shares.sum() > 0.1
    # roughness e weighs c / sqrt(e + median): 1 / sqrt(2) at the median, 1 / 100 at the lids
    ratio = (weighed.diagonal()[5] / weighed.diagonal()[0]) ** 2
    np.testing.assert_allclose(ratio, 100 / np.sqrt(2), rtol=0.2)


def test_areas_decide_what_the_median_is():
    energies = np.array([1.0, 4.0, 9.0])
    mostly_last = weigh_by_data(sp.csr_matrix(np.eye(3)), energies, np.array([1.0, 1.0, 98.0]))
    density = energies / np.array([1.0, 1.0, 98.0])
    weights = mostly_last.diagonal() ** 2
    expected = np.sqrt(2 * density[2] / (density + density[2]))
    np.testing.assert_allclose(weights / weights[2], expected)


def test_a_face_that_hardly_moves_is_left_alone():
    operator = sp.csr_matrix(np.eye(5))
    energies = np.array([0, 0, 0, 0, 1.0])
    assert weigh_by_data(operator, energies, np.ones(5)) is operator
