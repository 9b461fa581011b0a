"""fit_motion: who it is stays, and what the model cannot show of the face does not count."""

import torch

from meshgan.fitting.motions import fit_motion
from tests.fakes import AdditiveModel


def faces_and_motion(model):
    rest = model.sample_codes(2, torch.Generator().manual_seed(0))
    rest = {name: code[[0, 0, 1]] for name, code in rest.items()}  # one person twice
    moved = dict(rest)
    moved["expression"] = rest["expression"] + torch.randn(
        3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    return rest, moved, (model.decode(moved) - model.decode(rest))


def test_finds_what_moved_and_holds_who_it_is():
    model = AdditiveModel(side=12)
    rest, moved, seen = faces_and_motion(model)
    found = fit_motion(model, rest, seen, ("identity",), regularisation=1e-3)
    assert torch.equal(found["identity"], rest["identity"])
    torch.testing.assert_close(model.decode(found), model.decode(moved), atol=1e-2, rtol=0)


def test_no_motion_is_no_change():
    """Whatever lambda: codes are drawn to those at rest, not to the average face."""
    model = AdditiveModel(side=12)
    rest, _, seen = faces_and_motion(model)
    found = fit_motion(model, rest, torch.zeros_like(seen), regularisation=100.0)
    for name, code in rest.items():
        torch.testing.assert_close(found[name], code, atol=1e-4, rtol=0)


def test_a_person_does_not_depend_on_others():
    model = AdditiveModel(side=12)
    rest, _, seen = faces_and_motion(model)
    together = fit_motion(model, rest, seen)
    alone = fit_motion(model, {name: code[2:] for name, code in rest.items()}, seen[2:])
    for name, code in alone.items():
        torch.testing.assert_close(together[name][2:], code, atol=1e-4, rtol=0)
