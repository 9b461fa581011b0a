"""Decoding many codes: the same faces as one by one, into memory that is there."""

import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.models import decoding
from meshgan.models.decoding import decode_all
from meshgan.models.generator import DecoupledGenerator
from tests.fakes import AdditiveModel


@pytest.fixture
def generator() -> DecoupledGenerator:
    torch.manual_seed(0)
    sizes = {"identity": 6, "expression": 4, "noise": 2}
    factors = {"identity": ("a", "b"), "expression": ("c", "d")}
    vertices = 50 * torch.randn(700, 3)  # 2,100 rows: strips of the layer, and a rest
    return DecoupledGenerator(vertices, torch.tensor([[0, 1, 2]]), factors, sizes, 24, scale=5.0)


def plain(model: DecoupledGenerator, codes: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model.template_vertices + model.scale * model(codes)


def test_equals_the_plain_way(generator, monkeypatch):
    monkeypatch.setattr(decoding, "BATCH", 4)
    codes = generator.sample_codes(10, torch.Generator().manual_seed(1))
    torch.testing.assert_close(decode_all(generator, codes), plain(generator, codes))
    torch.testing.assert_close(generator.decode(codes).detach(), plain(generator, codes))


def test_writes_into_memory_of_the_caller(generator):
    codes = generator.sample_codes(3, torch.Generator().manual_seed(1))
    out = torch.full((3, 700, 3), torch.nan)
    assert decode_all(generator, codes, out) is out
    torch.testing.assert_close(out, plain(generator, codes))


def test_bfloat16_is_near_and_follows_the_weights(generator):
    codes = generator.sample_codes(3, torch.Generator().manual_seed(1))
    for _ in range(2):
        found = decode_all(generator, codes, precision="bf16")
        error = (found - plain(generator, codes)).abs().max()
        moved = (plain(generator, codes) - generator.template_vertices).abs().max()
        assert 0 < error < 0.02 * moved
        with torch.no_grad():
            generator.output.weight.mul_(-1.5)


def test_other_models_decode_as_they_do():
    model = AdditiveModel()
    codes = model.sample_codes(5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(decode_all(model, codes), model.decode(codes).float())


def test_bad_input(generator):
    codes = generator.sample_codes(3, torch.Generator().manual_seed(1))
    with pytest.raises(ShapeError, match=r"out \(2, 700, 3\), expected \(3, 700, 3\)"):
        decode_all(generator, codes, torch.empty(2, 700, 3))
    from meshgan.models.baselines.pca import AdditiveFaces

    linear = AdditiveFaces(torch.zeros(4, 3), torch.tensor([[0, 1, 2]]), {"x": ("a",)}, {"x": 2})
    with pytest.raises(InputError, match="AdditiveFaces decodes in 32 alone"):
        decode_all(linear, {"x": torch.zeros(1, 2)}, precision="bf16")
