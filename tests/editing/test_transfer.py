"""Transfer: the paper's formulas on codes; exact on meshes of an additive world, with detail."""

from types import SimpleNamespace

import pytest
import torch

from meshgan.editing.transfer import TransferSettings, transfer_codes, transfer_meshes
from meshgan.errors import InputError, ShapeError
from tests.fakes import AdditiveModel

KEEP = TransferSettings(keep_residual=True)


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=12)


def drawn(model, count, seed):
    return model.sample_codes(count, torch.Generator().manual_seed(seed))


def exact_fit(model, vertices):
    """Codes of meshes that the additive fake can show, by least squares."""
    stacked = torch.cat([model.modes[name] for name in model.code_sizes]).flatten(1)
    moved = (vertices.double() - model.template_vertices.double()).flatten(1)
    joined = torch.linalg.lstsq(stacked.T, moved.T).solution.T
    parts = joined.split(list(model.code_sizes.values()), dim=1)
    return SimpleNamespace(codes=dict(zip(model.code_sizes, parts, strict=True)))


def test_replace_takes_the_code_and_nothing_else(model):
    source, target = drawn(model, 3, 0), drawn(model, 3, 1)
    found = transfer_codes(source, target)
    assert torch.equal(found["expression"], source["expression"])
    assert torch.equal(found["identity"], target["identity"])
    assert torch.equal(found["noise"], target["noise"])


def test_add_sums_the_codes(model):
    source, target = drawn(model, 1, 0), drawn(model, 3, 1)
    found = transfer_codes(source, target, mode="add")
    torch.testing.assert_close(found["expression"], source["expression"] + target["expression"])
    rest = drawn(model, 1, 2)
    found = transfer_codes(source, target, mode="add", rest=rest)
    expected = target["expression"] + source["expression"] - rest["expression"]
    torch.testing.assert_close(found["expression"], expected)


def test_any_factor_and_any_amount(model):
    source, target = drawn(model, 2, 0), drawn(model, 2, 1)
    found = transfer_codes(source, target, ["identity"], amount=0.25)
    torch.testing.assert_close(
        found["identity"], 0.75 * target["identity"] + 0.25 * source["identity"]
    )
    assert torch.equal(found["expression"], target["expression"])


def test_meshes_without_residual_are_what_the_codes_show(model):
    source, target = drawn(model, 2, 0), drawn(model, 2, 1)
    found = transfer_meshes(model, model.decode(source), model.decode(target), fit=exact_fit)
    expected = model.decode({**target, "expression": source["expression"]})
    torch.testing.assert_close(found.vertices, expected, atol=2e-3, rtol=0)
    assert max(float(rms.max()) for rms in found.fit_rms_mm.values()) < 1e-3


def scar_of(model, count=1):
    """Detail that no code can show: orthogonal to all modes."""
    scar = torch.randn(len(model.template_vertices), 3, generator=torch.Generator().manual_seed(1))
    basis = torch.cat([model.modes[name] for name in model.code_sizes]).flatten(1)
    q = torch.linalg.qr(basis.T).Q.float()
    scar = (scar.flatten() - q @ (q.T @ scar.flatten())).view(-1, 3)
    return scar.expand(count, -1, -1)


def test_features_beyond_the_codes_are_no_expression(model):
    """Two people who smile alike, one with a feature that looks a little like a frown."""
    source, target = drawn(model, 1, 0), drawn(model, 1, 1)
    frown = model.modes["expression"][:1].float()
    feature = scar_of(model) * float(frown.norm()) / float(scar_of(model).norm()) + 0.5 * frown
    smiling = model.decode(source)
    expected = model.decode({**target, "expression": source["expression"]})
    detailed = AdditiveModel(side=12)
    detailed.details = 2 * feature
    off = {}
    for name, one in (("known", detailed), ("unknown", model)):
        found = transfer_meshes(one, smiling + 2 * feature, model.decode(target), KEEP)
        off[name] = float((found.vertices - expected).norm(dim=2).mean())
    assert off["known"] < 0.4 * off["unknown"]


@pytest.mark.parametrize("mode", ["replace", "add"])
@pytest.mark.parametrize("known", [False, True])
def test_the_target_keeps_its_detail(model, mode, known):
    """In an additive world whose people are alike, all ways agree with the truth."""
    target = drawn(model, 1, 1)
    calm = {**target, "expression": model.label_codes("expression")[:1]}
    source = {**calm, "expression": target["expression"]}
    scar = scar_of(model)
    found = transfer_meshes(
        model,
        model.decode(source),
        model.decode(calm) + scar,
        TransferSettings(mode=mode, keep_residual=True, carry_motion=False),
        rest=model.decode(calm) if known else None,
        fit=exact_fit,
    )
    truth = model.decode(source) + scar
    off = (found.vertices - truth).norm(dim=2)
    assert off.mean() < 0.12 * scar.norm(dim=2).mean()  # the detail has turned with the skin
    lost = transfer_meshes(model, model.decode(source), model.decode(calm) + scar, fit=exact_fit)
    assert (lost.vertices - truth).norm(dim=2).mean() > 0.9 * scar.norm(dim=2).mean()


def test_what_the_model_cannot_show_of_a_motion_is_carried(model):
    calm = {**drawn(model, 1, 1), "expression": model.label_codes("expression")[:1]}
    wink = scar_of(model)
    rest = model.decode(calm)
    found = transfer_meshes(model, rest + wink, rest, KEEP, rest=rest, fit=exact_fit)
    torch.testing.assert_close(found.vertices, rest + wink, atol=1e-2, rtol=0)
    without = TransferSettings(keep_residual=True, carry_motion=False)
    found = transfer_meshes(model, rest + wink, rest, without, rest=rest, fit=exact_fit)
    torch.testing.assert_close(found.vertices, rest, atol=1e-2, rtol=0)


@pytest.mark.parametrize("settings", [KEEP, TransferSettings(mode="add", keep_residual=True)])
def test_no_amount_is_no_change(model, settings):
    source, target = model.decode(drawn(model, 1, 0)), model.decode(drawn(model, 1, 1))
    none = TransferSettings(mode=settings.mode, keep_residual=True, amount=0.0)
    found = transfer_meshes(model, source, target, none, fit=exact_fit)
    torch.testing.assert_close(found.vertices, target, atol=1e-2, rtol=0)


def test_one_source_for_many_targets_equals_one_by_one(model):
    source, targets = model.decode(drawn(model, 1, 0)), model.decode(drawn(model, 3, 1))
    found = transfer_meshes(model, source, targets, KEEP, fit=exact_fit)
    assert found.vertices.shape[0] == 3
    alone = transfer_meshes(model, source, targets[2:], KEEP, fit=exact_fit)
    torch.testing.assert_close(found.vertices[2:], alone.vertices, atol=1e-3, rtol=0)


def test_refuses_bad_input(model):
    source, target = drawn(model, 2, 0), drawn(model, 3, 1)
    with pytest.raises(ShapeError, match="2 and 3 faces do not go together"):
        transfer_codes(source, target)
    with pytest.raises(InputError, match="no factor viseme; they have identity, expression"):
        transfer_codes(source, source, ["viseme"])
    with pytest.raises(InputError, match="mode 'mix', expected replace or add"):
        transfer_codes(source, source, mode="mix")
    meshes = model.decode(source)
    with pytest.raises(InputError, match="viseme: the model has the factors identity"):
        transfer_meshes(model, meshes, meshes, TransferSettings(factors=("viseme",)))
    with pytest.raises(ShapeError, match="100 vertices, the model has 144"):
        transfer_meshes(model, meshes[:, :100], meshes[:, :100])
