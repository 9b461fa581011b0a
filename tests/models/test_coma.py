"""The convolutional mesh autoencoder: people linear, expressions by mesh convolutions."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.objective import ModelPoints, differentiate, point_jacobian
from meshgan.fitting.points import SurfacePoints
from meshgan.geometry.decimation import decimation_hierarchy
from meshgan.models.baselines import coma
from meshgan.models.baselines.coma import (
    ROWS_AT_ONCE,
    ConvolutionalMeshAutoencoder,
    MeshPyramid,
    make_coma,
)
from tests.fakes import face_like_mesh

FACTORS = {"identity": ("a", "b", "c"), "expression": ("x", "y")}
SIZES = {"identity": 4, "expression": 3}


@pytest.fixture(scope="module")
def hierarchy():
    vertices, faces = face_like_mesh(16)
    return decimation_hierarchy(vertices.astype(np.float64), faces, levels=2)


@pytest.fixture
def model(hierarchy):
    vertices, faces = face_like_mesh(16)
    torch.manual_seed(0)
    made = make_coma(
        torch.from_numpy(vertices), torch.from_numpy(faces), FACTORS, SIZES, hierarchy,
        filters=(4, 6), order=3,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(768, 4)))[0].T * np.array([[4.0], [3.0], [2.0], [0.0]])
    made.set_people(rng.normal(size=768), basis, rng.normal(size=(3, 4)), 2.0)
    made.whitening.fit(torch.randn(50, 3) * 2 + 1)
    return made.eval()


def draw(model, count):
    return model.sample_codes(count, torch.Generator().manual_seed(1))


def test_a_face_is_a_person_plus_an_expression(model):
    codes = draw(model, 3)
    still = {**codes, "expression": codes["expression"][:1].expand(3, -1)}
    moved = model.decode(still) - model.decode(still)[:1]
    linear = (codes["identity"] - codes["identity"][:1]) @ model.basis.flatten(1)
    torch.testing.assert_close(moved.flatten(1), linear, atol=1e-4, rtol=1e-4)
    raw = model.whitening.raw(codes["expression"])
    expected = model.template_vertices + model.mean + model.decode_expressions(raw)
    torch.testing.assert_close(
        model.decode({**codes, "identity": torch.zeros(3, 4)}), expected, atol=1e-4, rtol=1e-5
    )


def test_people_are_found_again(model):
    codes = torch.randn(5, 4)
    codes[:, 3] = 0  # without effect: its basis row is zero
    found = model.codes_of_people(model.person_displacements(codes))
    torch.testing.assert_close(found, codes, atol=1e-4, rtol=1e-4)


def test_decode_at_is_decode(model):
    codes, ids = draw(model, 3), torch.tensor([5, 0, 255, 5])
    torch.testing.assert_close(
        model.decode_at(codes, ids), model.decode(codes)[:, ids], atol=1e-4, rtol=1e-6
    )


@pytest.mark.parametrize("ids", [[0], [5, 0, 255, 5], list(range(0, 256, 2))])
def test_some_vertices_are_those_of_the_whole_mesh(model, ids):
    """Without a gradient only what the vertices see is computed: the same to rounding."""
    codes, chosen = draw(model, 5), torch.tensor(ids)
    with torch.no_grad():
        found = model.decode_at(codes, chosen)
    torch.testing.assert_close(found, model.decode(codes)[:, chosen], atol=1e-4, rtol=1e-6)


def test_a_corner_sees_a_part_of_the_mesh_and_many_vertices_are_picked_from_it(model):
    corner = model.autoencoder.at(torch.tensor([0]))
    assert corner.laplacians[0].shape[0] < 256 / 2
    assert corner.rows is not None
    assert model.autoencoder.at(torch.arange(256)).rows is None
    assert model.autoencoder.at(torch.tensor([0])) is corner
    assert not [name for name in model.state_dict() if "rows" in name]


@pytest.mark.parametrize("ids", [[0], [5, 0, 255, 5], list(range(0, 256, 2))])
def test_derivatives_carried_forward_are_those_in_reverse(model, ids):
    function = ModelPoints(model, SurfacePoints.at_vertices(torch.tensor(ids)))
    at = torch.randn(3, 7, generator=torch.Generator().manual_seed(3))
    plain = differentiate(function, at)
    torch.testing.assert_close(function.jacobian(at), plain, atol=1e-4, rtol=1e-4)
    assert plain[..., 4:].abs().amax() > 0.1


def test_a_function_around_it_is_differentiated_too(model):
    """In a context without gradients as well: never a derivative of zero."""
    ids = torch.tensor([3, 77])

    class Twice:
        size = 7

        def __call__(self, unknowns):
            return 2 * model.decode_at(model.split(unknowns), ids)

    at = torch.randn(2, 7, generator=torch.Generator().manual_seed(3))
    expected = 2 * model.jacobian_at(model.split(at), ids)
    torch.testing.assert_close(point_jacobian(Twice(), at), expected, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        found = point_jacobian(Twice(), at)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_rows_do_not_depend_on_the_batch(model):
    count = ROWS_AT_ONCE + 5
    codes = draw(model, count)
    whole = model.decode(codes)
    parts = [model.decode({n: c[k : k + 7] for n, c in codes.items()}) for k in range(0, count, 7)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=1e-6)


@pytest.mark.parametrize("remembered", [0, 10**9])
def test_gradients_of_many_faces_are_those_of_few(model, monkeypatch, remembered):
    """Decoded in parts, remembered or decoded again on the way back: the same gradient."""
    monkeypatch.setattr(coma, "REMEMBERED", remembered)
    count = ROWS_AT_ONCE + 3
    codes = torch.randn(count, 3, requires_grad=True)
    model.decode_expressions(codes).square().sum().backward()
    few = codes.detach()[-2:].requires_grad_(True)
    model.decode_expressions(few).square().sum().backward()
    torch.testing.assert_close(codes.grad[-2:], few.grad, atol=1e-3, rtol=1e-4)


def test_fitting_can_differentiate_it(model):
    """The Jacobian of the fit against differences."""
    function = ModelPoints(model, SurfacePoints.at_vertices(torch.tensor([3, 77])))
    at = torch.randn(2, 7, generator=torch.Generator().manual_seed(3))
    found = point_jacobian(function, at)
    step = 1e-2
    for k in range(7):
        moved = torch.zeros(7)
        moved[k] = step
        difference = (function(at + moved) - function(at - moved)) / (2 * step)
        torch.testing.assert_close(found[..., k], difference, atol=2e-2, rtol=2e-2)


def test_levels_travel_with_the_weights(model, hierarchy):
    """Another model of the same sizes, with nothing set, becomes this one to the bit."""
    vertices, faces = face_like_mesh(16)
    assert model.settings()["levels"] == MeshPyramid.sizes_of(hierarchy)
    other = ConvolutionalMeshAutoencoder(
        torch.from_numpy(vertices), torch.from_numpy(faces), FACTORS, SIZES, **model.settings()
    )
    other.load_state_dict(model.state_dict())
    codes = draw(model, 2)
    assert torch.equal(other.decode(codes), model.decode(codes))
    seen = torch.randn(2, 256, 3)
    assert torch.equal(other.encode_expressions(seen), model.encode_expressions(seen))


def test_number_of_weights_is_the_papers(hierarchy):
    """Ranjan et al. 2018, Tables 1 and 2: the convolutions of 16, 16, 16, 32 filters, K = 6."""
    vertices, faces = face_like_mesh(64)
    levels = decimation_hierarchy(vertices.astype(np.float64), faces, levels=4)
    made = make_coma(torch.from_numpy(vertices), torch.from_numpy(faces), FACTORS, SIZES, levels)
    down = [(3, 16), (16, 16), (16, 16), (16, 32)]
    up = [(32, 32), (32, 16), (16, 16), (16, 16), (16, 3)]
    convolutions = sum(6 * a * b + b for a, b in (*down, *up))
    joined = len(levels[-1].vertices) * 32
    total = convolutions + joined * 3 + 3 + 3 * joined + joined
    assert sum(p.numel() for p in made.parameters()) == total


def test_refuses_other_factors_and_meshes(model, hierarchy):
    vertices, faces = (torch.from_numpy(part) for part in face_like_mesh(16))
    three = {**FACTORS, "viseme": ("o", "m")}
    with pytest.raises(InputError, match="identity, expression, viseme, expected two factors"):
        make_coma(vertices, faces, three, {**SIZES, "viseme": 2}, hierarchy, (4, 6), 3)
    with pytest.raises(InputError, match="no noise"):
        make_coma(vertices, faces, FACTORS, {**SIZES, "noise": 2}, hierarchy, (4, 6), 3)
    with pytest.raises(InputError, match="3 filters for 2 coarser meshes"):
        make_coma(vertices, faces, FACTORS, SIZES, hierarchy, (4, 6, 8), 3)
    with pytest.raises(ShapeError, match="displacements of 255 vertices, the model has 256"):
        model.encode_expressions(torch.zeros(1, 255, 3))
