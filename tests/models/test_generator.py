"""The generator: the paper's size, label codes that stay, clear errors."""

import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.models.base import MeshModel
from meshgan.models.generator import DecoupledGenerator

FACTORS = {"identity": ("ann", "bob", "cy"), "expression": ("neutral", "smile")}
SIZES = {"identity": 4, "expression": 3, "noise": 2}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    made = DecoupledGenerator(torch.randn(7, 3), torch.tensor([[0, 1, 2]]), FACTORS, SIZES, 16)
    made.draw_label_codes(torch.Generator().manual_seed(0))
    return made


def test_parameters_at_the_papers_size():
    labels = {"identity": ("a",) * 299, "expression": ("b",) * 7}
    sizes = {"identity": 65, "expression": 15, "noise": 5}
    with torch.device("meta"):
        made = DecoupledGenerator(torch.zeros(22_129, 3), torch.zeros(1, 3).long(), labels, sizes)
    assert sum(p.numel() for p in made.parameters()) == 34_100_563  # Fig. 11


def test_is_a_mesh_model(generator):
    assert isinstance(generator, MeshModel)


def test_decode_is_template_plus_scaled_displacement(generator):
    generator.scale.fill_(2.5)
    codes = generator.sample_codes(3, torch.Generator().manual_seed(1))
    expected = generator.template_vertices + 2.5 * generator(codes)
    torch.testing.assert_close(generator.decode(codes), expected)


def test_two_layers_by_hand(generator):
    codes = generator.sample_codes(2, torch.Generator().manual_seed(1))
    z = torch.cat([codes["identity"], codes["expression"], codes["noise"]], dim=1)
    h = z @ generator.hidden.weight.T + generator.hidden.bias
    h = torch.where(h > 0, h, 0.2 * h)
    expected = (h @ generator.output.weight.T + generator.output.bias).view(2, 7, 3)
    torch.testing.assert_close(generator(codes), expected)


def test_any_batch_gives_the_same_rows(generator):
    codes = generator.sample_codes(5, torch.Generator().manual_seed(1))
    whole = generator.decode(codes)
    for row in range(5):
        one = generator.decode({name: code[row : row + 1] for name, code in codes.items()})
        torch.testing.assert_close(one[0], whole[row])


def test_label_codes_are_saved_with_the_weights(generator):
    other = DecoupledGenerator(torch.randn(7, 3), torch.tensor([[0, 1, 2]]), FACTORS, SIZES, 16)
    other.load_state_dict(generator.state_dict())
    for factor in FACTORS:
        assert torch.equal(other.label_codes(factor), generator.label_codes(factor))
        assert not torch.equal(generator.label_codes(factor)[0], generator.label_codes(factor)[1])
    codes = generator.sample_codes(2, torch.Generator().manual_seed(1))
    assert torch.equal(other.decode(codes), generator.decode(codes))


def test_refuses_what_does_not_fit(generator):
    codes = generator.sample_codes(2, torch.Generator().manual_seed(1))
    with pytest.raises(ShapeError, match="expression missing"):
        generator.decode({"identity": codes["identity"], "noise": codes["noise"]})
    with pytest.raises(ShapeError, match=r"identity \(2, 3\), expected \(B, 4\)"):
        generator.decode({**codes, "identity": codes["expression"]})
    with pytest.raises(ShapeError, match="viseme unknown"):
        generator.decode({**codes, "viseme": codes["noise"]})
    with pytest.raises(InputError, match="the model has identity, expression"):
        generator.label_codes("age")
    with pytest.raises(InputError, match="expected one per factor"):
        DecoupledGenerator(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), FACTORS, {"noise": 1})


def test_some_vertices_are_those_of_the_whole_face(generator):
    codes = generator.sample_codes(3, torch.Generator().manual_seed(1))
    ids = torch.tensor([6, 0, 3, 3])
    torch.testing.assert_close(generator.decode_at(codes, ids), generator.decode(codes)[:, ids])


def test_split_undoes_join(generator):
    codes = generator.sample_codes(3, torch.Generator().manual_seed(1))
    again = generator.split(generator.join(codes))
    assert all(torch.equal(again[name], code) for name, code in codes.items())
