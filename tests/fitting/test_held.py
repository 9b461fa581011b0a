"""HeldCodes: the same faces, and fits that leave the held codes alone."""

import torch

from meshgan.fitting.held import HeldCodes
from meshgan.fitting.meshes import fit_meshes
from tests.fakes import AdditiveModel


def test_finds_what_is_not_held_and_keeps_what_is():
    model = AdditiveModel(side=12)
    truth = model.sample_codes(3, torch.Generator().manual_seed(0))
    for name in ("identity", "noise"):
        truth[name] = truth[name][:1].expand(3, -1)
    free = HeldCodes(model, {name: truth[name][:1] for name in ("identity", "noise")})
    assert free.code_sizes == {"expression": 4}
    faces = model.decode(truth)
    torch.testing.assert_close(free.decode({"expression": truth["expression"]}), faces)
    found = fit_meshes(free, faces, regularisation=1e-3)
    assert list(found.codes) == ["expression"]
    whole = free.whole(found.codes)
    assert list(whole) == list(model.code_sizes)
    torch.testing.assert_close(whole["identity"], truth["identity"])
    torch.testing.assert_close(whole["expression"].double(), truth["expression"], atol=1e-3, rtol=0)
