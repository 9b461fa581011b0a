"""Code arithmetic: by hand on small vectors; labels mean what the model says."""

import pytest
import torch

from meshgan.editing.arithmetic import (
    add_difference,
    at_strength,
    common_count,
    label_code,
    resting_codes,
    with_new_codes,
)
from meshgan.errors import InputError, ShapeError
from tests.fakes import AdditiveModel


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=8)


def codes(**rows):
    return {name: torch.tensor(values) for name, values in rows.items()}


def test_differences_by_hand():
    a = codes(identity=[[1.0, 2]], expression=[[3.0]])
    b, c = codes(expression=[[5.0], [7.0]]), codes(expression=[[1.0]])
    found = add_difference(a, b, c, 0.5)
    assert found["expression"].tolist() == [[5.0], [6.0]]
    assert found["identity"].tolist() == [[1.0, 2], [1.0, 2]]


def test_there_and_back_again(model):
    rng = torch.Generator().manual_seed(0)
    a, b, c = (model.sample_codes(3, rng) for _ in range(3))
    back = add_difference(add_difference(a, b, c), c, b)
    for name in a:
        torch.testing.assert_close(back[name], a[name])


def test_a_label_at_a_strength(model):
    rng = torch.Generator().manual_seed(0)
    faces = model.sample_codes(2, rng)
    calm, smile = (model.label_codes("expression")[k] for k in (0, 1))
    for amount in (0.0, 0.6, 1.0, -0.5):
        found = at_strength(model, faces, {"expression": "smile"}, amount)
        expected = (1 - amount) * calm + amount * smile
        torch.testing.assert_close(found["expression"], expected.expand(2, -1))
        assert torch.equal(found["identity"], faces["identity"])


def test_without_a_label_of_rest_the_mean_code_is_rest(model):
    faces = model.sample_codes(1, torch.Generator().manual_seed(0))
    found = at_strength(model, faces, {"identity": "carl"}, 0.25)
    torch.testing.assert_close(found["identity"], 0.25 * model.label_codes("identity")[2:3])


def test_rest_is_found_by_its_label(model):
    assert list(resting_codes(model)) == ["expression"]
    assert torch.equal(resting_codes(model)["expression"], model.label_codes("expression")[:1])


def test_other_people_with_this_expression(model):
    rng = torch.Generator().manual_seed(0)
    faces = model.sample_codes(4, rng)
    found = with_new_codes(model, faces, ["expression"], rng)
    assert torch.equal(found["expression"], faces["expression"])
    assert (found["identity"] != faces["identity"]).all()
    again = with_new_codes(model, faces, ["expression"], torch.Generator().manual_seed(3))
    other = with_new_codes(model, faces, ["identity"], torch.Generator().manual_seed(3))
    assert torch.equal(again["noise"], other["noise"])


def test_refuses_bad_input(model):
    with pytest.raises(InputError, match="expression=joy: the model has neutral, smile, open"):
        label_code(model, "expression", "joy")
    with pytest.raises(InputError, match="viseme: the model has the factors identity, expression"):
        label_code(model, "viseme", "A")
    with pytest.raises(ShapeError, match="2 and 3 faces do not go together"):
        common_count([2, 3])
    with pytest.raises(ShapeError, match=r"codes expression: lengths \[1, 2\]"):
        add_difference(
            codes(expression=[[1.0]]), codes(expression=[[1.0, 2]]), codes(expression=[[1.0]])
        )
