"""EmbeddingNet: the published size, unit length, a face's embedding alone decides."""

import pytest
import torch

from meshgan.errors import ShapeError
from meshgan.models.embedding import EmbeddingNet

PUBLISHED = 11_689_512  # ResNet-18 with its layer of 1,000 classes, as in the common model zoos


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return EmbeddingNet(size=16, width=8).eval()


def parameters(net):
    return sum(values.numel() for values in net.parameters())


def test_has_the_published_number_of_parameters():
    classes = 512 * 1000 + 1000
    assert parameters(EmbeddingNet(size=128)) == PUBLISHED - classes + 512 * 128 + 128
    assert parameters(EmbeddingNet(size=1000)) == PUBLISHED


@pytest.mark.parametrize(("size_px", "last"), [(32, 1), (96, 3), (224, 7)])
def test_shrinks_pictures_32_times(small, size_px, last):
    seen = []
    handle = small.blocks.register_forward_hook(lambda *found: seen.append(found[2].shape))
    with torch.no_grad():
        small(torch.randn(2, 3, size_px, size_px))
    handle.remove()
    assert seen == [(2, 64, last, last)]


def test_embeddings_lie_on_the_unit_sphere(small):
    with torch.no_grad():
        found = small(torch.randn(5, 3, 40, 40))
    assert found.shape == (5, 16)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))


def test_embedding_does_not_depend_on_the_batch(small):
    pictures = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        together = small(pictures)
        alone = torch.cat([small(picture[None]) for picture in pictures])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_learns_to_tell_four_pictures_apart():
    torch.manual_seed(1)
    net = EmbeddingNet(size=4, width=8)
    pictures, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(8 * net(pictures), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert net(pictures).argmax(dim=1).tolist() == [0, 1, 2, 3]


def test_refuses_small_pictures(small):
    with pytest.raises(ShapeError, match="31 pixels a side, expected at least 32"):
        small(torch.zeros(1, 3, 31, 31))
