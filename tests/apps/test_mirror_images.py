"""Mirror images: a reflection, another person, the same expression; and back again."""

import numpy as np
import pytest

from meshgan.apps.mirror_images import with_mirror_images
from meshgan.apps.prepare import present_labels
from meshgan.data.dataset import MeshDataset
from meshgan.data.store import Store
from meshgan.models.baselines.additive import fit_additive


@pytest.fixture(scope="module")
def dataset(tiny_data):
    return MeshDataset(Store.open(tiny_data), split="train")


@pytest.fixture(scope="module")
def both(dataset):
    names, labels = present_labels(dataset, ["identity", "expression"])
    counts = {name: len(found) for name, found in names.items()}
    made = with_mirror_images(dataset, dataset.template.mirror, labels, counts)
    return made, labels, counts


def test_images_are_reflections_of_positions(dataset, both):
    made, _, _ = both
    mirror = dataset.template.mirror
    reference = dataset.template.mesh.vertices.astype(np.float32)
    passes = list(made.chunks())
    rows, values = passes[0]
    image_rows, images = passes[1]
    np.testing.assert_array_equal(image_rows, rows + len(dataset))
    positions = values.reshape(len(rows), -1, 3) + reference
    expected = positions[:, mirror].copy()
    expected[..., 0] *= -1
    np.testing.assert_allclose(images.reshape(positions.shape) + reference, expected, atol=1e-4)
    assert sum(len(rows) for rows, _ in passes) == 2 * len(dataset)


def test_an_image_is_another_person_with_the_same_expression(both):
    made, labels, counts = both
    assert made.images == ("identity",)
    count = len(labels["identity"])
    first, second = made.labels["identity"][:count], made.labels["identity"][count:]
    np.testing.assert_array_equal(first // 2, labels["identity"])
    np.testing.assert_array_equal(second, first + 1)
    np.testing.assert_array_equal(made.labels["expression"][count:], labels["expression"])
    assert made.label_counts == {**counts, "identity": 2 * counts["identity"]}
    assert made.siblings == 2


def test_the_model_keeps_the_codes_of_real_people(dataset, both):
    made, _, counts = both
    sizes = {"identity": 6, "expression": 3, "noise": 1}
    rng = np.random.default_rng(0)
    model = fit_additive(made.chunks, made.labels, made.label_counts, sizes, rng, siblings=2)
    kept = made.without_images(model)
    assert kept.codes["identity"].shape == (counts["identity"], 6)
    np.testing.assert_array_equal(kept.codes["identity"], model.codes["identity"][::2])
    assert kept.codes["expression"].shape == (counts["expression"], 3)
    # people and images together are symmetric: so is their mean face
    mirror, mean = dataset.template.mirror, kept.mean.reshape(-1, 3)
    np.testing.assert_allclose(mean[mirror] * [-1, 1, 1], mean, atol=1e-3)
