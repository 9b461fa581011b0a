"""The multilinear autoencoder: affine in each code, rows apart, wrong input refused."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.models.baselines.mae import MultilinearAutoencoder
from tests.fakes import face_like_mesh

FACTORS = {"identity": ("a", "b", "c"), "expression": ("x", "y"), "viseme": ("o", "m")}
SIZES = {"identity": 4, "expression": 3, "viseme": 2}


def make(names=("identity", "expression"), directions=6):
    vertices, faces = face_like_mesh(8)
    torch.manual_seed(0)
    model = MultilinearAutoencoder(
        torch.from_numpy(vertices), torch.from_numpy(faces),
        {name: FACTORS[name] for name in names}, {name: SIZES[name] for name in names},
        directions, image_size=16, channels=(4, 8),
    )  # fmt: skip
    torch.nn.init.normal_(model.core)
    model.mean.normal_()
    model.basis.copy_(torch.linalg.qr(torch.randn(model.basis.shape[1], directions))[0].T)
    for name in names:
        model.whitening(name).fit(torch.randn(50, SIZES[name]) * 2 + 1)
    return model.eval()


@pytest.mark.parametrize("names", [("identity",), ("identity", "expression"), tuple(FACTORS)])
def test_decode_is_the_tensor_product(names):
    """Against a loop over the entries of the core, in float64."""
    model = make(names)
    codes = model.sample_codes(2, torch.Generator().manual_seed(1))
    decoded = model.decode(codes).double()
    core, basis = model.core.detach().double().numpy(), model.basis.double().numpy()
    for face in range(2):
        affine = [
            np.append(1.0, model.whitening(name).raw(codes[name])[face].double().numpy())
            for name in names
        ]
        total = np.zeros(len(core))
        for index in np.ndindex(*core.shape[1:]):
            total += core[(slice(None), *index)] * np.prod(
                [part[k] for part, k in zip(affine, index, strict=True)]
            )
        expected = model.mean.double().numpy() + total @ basis
        expected = expected.reshape(-1, 3) + model.template_vertices.double().numpy()
        np.testing.assert_allclose(decoded[face].detach(), expected, atol=1e-3)


def test_decode_at_is_decode():
    model = make()
    codes = model.sample_codes(3, torch.Generator().manual_seed(1))
    ids = torch.tensor([5, 0, 63, 5])
    torch.testing.assert_close(
        model.decode_at(codes, ids), model.decode(codes)[:, ids], atol=1e-4, rtol=1e-6
    )


def test_rows_do_not_depend_on_the_batch():
    model = make()
    codes = model.sample_codes(9, torch.Generator().manual_seed(1))
    whole = model.decode(codes)
    parts = [model.decode({n: c[k : k + 2] for n, c in codes.items()}) for k in range(0, 9, 2)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=1e-6)


def test_core_of_shorter_axes_leaves_the_rest_without_effect():
    model = make()
    core = np.random.default_rng(0).normal(size=(3, 2, 6))  # 2 of 4 and 1 of 3 entries in use
    model.set_core(core, {"identity": np.ones((3, 2)), "expression": np.ones((2, 1))})
    assert model.label_codes("identity").tolist() == [[1, 1, 0, 0]] * 3
    raw = {"identity": torch.randn(1, 4), "expression": torch.randn(1, 3)}
    first = np.append(1.0, raw["identity"][0, :2].numpy())
    second = np.append(1.0, raw["expression"][0, :1].numpy())
    np.testing.assert_allclose(
        model.coefficients(raw).detach().numpy()[0],
        np.einsum("ijr,i,j->r", core, first, second), atol=1e-5,
    )  # fmt: skip


def test_encode_gives_standard_codes_of_each_factor():
    model = make()
    codes = model.encode(torch.randn(5, 3, 16, 16))
    assert {name: tuple(code.shape) for name, code in codes.items()} == {
        "identity": (5, 4), "expression": (5, 3),
    }  # fmt: skip
    raw = model.split(model.encoder(torch.zeros(2, 3, 16, 16)))
    again = model.whitening("expression").raw(model.encode(torch.zeros(2, 3, 16, 16))["expression"])
    torch.testing.assert_close(again, raw["expression"], atol=1e-5, rtol=1e-5)


def test_refuses_noise_images_and_codes():
    vertices, faces = face_like_mesh(8)
    with pytest.raises(InputError, match="the model has no noise"):
        MultilinearAutoencoder(
            torch.from_numpy(vertices), torch.from_numpy(faces),
            {"identity": ("a",)}, {"identity": 2, "noise": 1}, 4,
        )  # fmt: skip
    with pytest.raises(ShapeError, match="the encoder takes"):
        make().encoder(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ShapeError, match="expression missing"):
        make().decode({"identity": torch.zeros(1, 4)})
