"""Morph targets of a model: exact for an additive one, whose modes are known."""

import numpy as np
import pytest
import torch

from meshgan.editing.morphs import at_rest, decoded, direction_targets, label_targets
from tests.fakes import AdditiveModel


@pytest.fixture(scope="module")
def model() -> AdditiveModel:
    return AdditiveModel(side=12)


@pytest.fixture(scope="module")
def rest(model):
    codes = model.sample_codes(1, torch.Generator().manual_seed(4))
    return at_rest(model, codes)


def test_at_rest_keeps_the_person_and_drops_the_rest(model, rest):
    drawn = model.sample_codes(1, torch.Generator().manual_seed(4))
    torch.testing.assert_close(rest["identity"], drawn["identity"], atol=0, rtol=0)
    torch.testing.assert_close(rest["expression"][0], model.label_codes("expression")[0])
    assert float(rest["noise"].abs().max()) == 0


def test_labels_move_the_face_by_their_codes_modes(model, rest):
    found = label_targets(model, rest)
    assert [(t.name, t.factor) for t in found] == [
        (name, "expression") for name in ("smile", "open", "frown")
    ]
    change = model.label_codes("expression")[2] - model.label_codes("expression")[0]
    wanted = torch.einsum("k,kvc->vc", change, model.modes["expression"]).numpy()
    np.testing.assert_allclose(found[1].displacement, wanted, atol=2e-4)


def test_directions_move_the_face_by_two_deviations_along_the_modes(model, rest):
    found = direction_targets(model, rest, {"identity": 3, "expression": 0}, deviations=2.0)
    assert [t.name for t in found] == ["identity_1", "identity_2", "identity_3"]
    assert all(t.two_sided for t in found)
    sizes = [np.linalg.norm(t.displacement) for t in found]
    assert sizes == sorted(sizes, reverse=True)
    modes = model.modes["identity"].reshape(6, -1).numpy()
    u = np.linalg.svd(modes.T, full_matrices=False)  # how far any unit direction can go
    np.testing.assert_allclose(sizes[0], 2 * u.S[0], rtol=0.05)


def test_decoding_in_parts_gives_the_same_faces(model):
    codes = model.sample_codes(70, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(decoded(model, codes), model.decode(codes).numpy(), atol=1e-5)
