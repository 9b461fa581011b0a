"""MappedOutput: what the losses see equals what whole meshes would show, gradients included."""

import numpy as np
import pytest
import torch

from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.errors import ShapeError
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.geometry_map import GeometryMap
from meshgan.models.mapped_output import (
    MappedOutput,
    laplacian_regulariser,
    mapping_matrix,
    sparse_parts,
)
from tests.geometry.shapes import flat_square

PIXELS, BATCH, SCALE = 16, 6, 3.0


class Parts:
    """A generator on a small disk, its map, its regulariser, and dense copies of both."""

    def __init__(self, precision=torch.float32):
        mesh = delaunay_disk(120)
        torch.manual_seed(0)
        self.generator = DecoupledGenerator(
            torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces),
            {"a": ("x", "y")}, {"a": 5, "noise": 2}, hidden=24, scale=SCALE,
        )  # fmt: skip
        self.map = GeometryMap(rasterize_uv(mesh.uv, mesh.faces, PIXELS))
        laplacian = cotangent_laplacian(mesh.vertices, mesh.faces)
        areas = mass_matrix(mesh.vertices, mesh.faces).diagonal()
        self.regulariser = laplacian_regulariser(laplacian, areas, SCALE, length_mm=2.0)
        self.laplacian, self.areas = torch.from_numpy(laplacian.toarray()), torch.from_numpy(areas)
        self.mapped = MappedOutput(self.generator, self.map, self.regulariser, precision)

    def hidden(self, seed=1):
        rng = torch.Generator().manual_seed(seed)
        return self.generator.activations(self.generator.sample_codes(BATCH, rng)).detach()

    def meshes(self, hidden):
        """Displacements (B, V, 3) in units of the scale, from the layer itself."""
        return self.generator.output(hidden).unflatten(1, (-1, 3))

    def plain(self, hidden):
        """Images by gathering, energy by Eq. 12 with the surface measure written out."""
        meshes = self.meshes(hidden)
        corners, weights = self.map.corners, self.map.weights.float()
        images = torch.einsum("bijkc,ijk->bcij", meshes[:, corners], weights)
        change = torch.einsum("vw,bwc->bvc", self.laplacian, SCALE * meshes.double())
        change = 2.0**2 * change / self.areas[:, None]  # l^2 times the Laplacian per area, in mm
        mean = (self.areas[:, None] * change**2).sum(dim=(1, 2)) / self.areas.sum()
        return images, mean.mean().float()


def test_images_and_energy_are_those_of_whole_meshes():
    parts = Parts()
    hidden = parts.hidden()
    images, energy = parts.mapped.images_and_energy(hidden)
    expected_images, expected_energy = parts.plain(hidden)
    torch.testing.assert_close(images, expected_images, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(energy, expected_energy, rtol=1e-4, atol=0)


def test_fused_images_are_those_of_whole_meshes_and_follow_refresh():
    parts = Parts()
    hidden = parts.hidden()
    expected = parts.plain(hidden)[0]
    torch.testing.assert_close(parts.mapped.images(hidden), expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        parts.generator.output.weight.mul_(2)
        parts.generator.output.bias.sub_(1)
    torch.testing.assert_close(parts.mapped.images(hidden), expected, rtol=1e-4, atol=1e-5)
    parts.mapped.refresh()
    changed = parts.plain(hidden)[0]
    assert (changed - expected).abs().max() > 0.1
    torch.testing.assert_close(parts.mapped.images(hidden), changed, rtol=1e-4, atol=1e-5)


def gradients(parts, compute, energy_weight=1.0, steps=1):
    """Gradients in the codes' activations, weight and bias of a loss of images and energy."""
    rng = torch.Generator().manual_seed(4)
    hidden = parts.hidden().requires_grad_()
    for _ in range(steps):
        target = torch.randn(BATCH, 3, PIXELS, PIXELS, generator=rng)
        images, energy = compute(hidden)
        loss = energy_weight * energy**2 + (1 - energy_weight) * (images - target).square().mean()
        loss.backward()
    output = parts.generator.output
    return hidden.grad, output.weight.grad, output.bias.grad


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("energy_weight", [0.0, 0.5, 1.0])
def test_gradients_are_those_of_whole_meshes(energy_weight, steps):
    """Of images alone, of both, of the energy alone; also where a second backward pass adds."""
    fast, plain = Parts(), Parts()
    found = gradients(fast, fast.mapped.images_and_energy, energy_weight, steps)
    expected = gradients(plain, plain.plain, energy_weight, steps)
    for a, b in zip(found, expected, strict=True):
        assert (a - b).norm() < 1e-4 * b.norm()


def test_gradients_after_a_step_are_not_those_before():
    """Memory is used again: the second gradient must not be the first one's leftovers."""
    fast, plain = Parts(), Parts()
    for parts, compute in ((fast, fast.mapped.images_and_energy), (plain, plain.plain)):
        gradients(parts, compute)
        with torch.no_grad():
            output = parts.generator.output
            output.weight.mul_(0.5)
        parts.generator.zero_grad(set_to_none=True)
        parts.mapped.refresh()
    found = gradients(fast, fast.mapped.images_and_energy)
    expected = gradients(plain, plain.plain)
    for a, b in zip(found, expected, strict=True):
        assert (a - b).norm() < 1e-3 * b.norm()


def test_two_passes_in_one_graph_are_right_or_refused():
    """A later forward pass must never silently spoil the gradient of an earlier one."""
    fast, plain = Parts(), Parts()
    losses = [
        sum(compute(parts.hidden(seed))[1] for seed in (1, 2))
        for parts, compute in ((fast, fast.mapped.images_and_energy), (plain, plain.plain))
    ]
    losses[1].backward()
    try:
        losses[0].backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)  # noqa: PT017
        return
    found, expected = (parts.generator.output.weight.grad for parts in (fast, plain))
    assert (found - expected).norm() < 1e-4 * expected.norm()


def test_bf16_is_near_and_keeps_float32_gradients():
    fast, plain = Parts(torch.bfloat16), Parts()
    fast.mapped.refresh()
    images, energy = fast.mapped.images_and_energy(fast.hidden())
    expected_images, expected_energy = plain.plain(plain.hidden())
    assert images.dtype == energy.dtype == torch.float32
    assert (images - expected_images).norm() < 0.02 * expected_images.norm()
    torch.testing.assert_close(energy, expected_energy, rtol=0.05, atol=0)
    fused = fast.mapped.images(fast.hidden())
    assert (fused - expected_images).norm() < 0.02 * expected_images.norm()
    found = gradients(fast, fast.mapped.images_and_energy)
    expected = gradients(plain, plain.plain)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() < 0.05 * b.norm()


def test_constant_displacements_cost_nothing():
    """A face that moves as a whole has no Laplacian energy."""
    parts = Parts()
    with torch.no_grad():
        parts.generator.output.weight.zero_()
        parts.generator.output.bias.copy_(torch.tensor([1.0, -2.0, 3.0]).repeat(120))
    images, energy = parts.mapped.images_and_energy(parts.hidden())
    assert energy < 1e-6
    expected = torch.tensor([1.0, -2.0, 3.0])[None, :, None, None].expand_as(images)
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)


def energy_on_grid(edge: int) -> float:
    """Energy of one smooth displacement of a flat square of 100 mm with edge^2 vertices."""
    mesh = flat_square(edge)
    vertices = 100 * mesh.vertices
    areas = mass_matrix(vertices, mesh.faces).diagonal()
    laplacian = cotangent_laplacian(vertices, mesh.faces)
    operator = laplacian_regulariser(laplacian, areas, scale_mm=1.0, length_mm=10.0)
    s = np.sin(np.pi * vertices[:, :2] / 100)
    bump = 5 * (s[:, 0] * s[:, 1]) ** 4
    return float(((operator @ bump) ** 2).sum())


def test_energy_does_not_depend_on_the_number_of_vertices():
    """Four times the vertices, the same smooth displacement: the same energy within 3 %.

    By hand: for d = 5 s(x)^4 s(y)^4 mm, s = sin(pi x), on a square of 100 mm and l = 10 mm, the
    mean of |l^2 Delta d|^2 over the area, by a fine sum of the exact second derivatives.
    """
    t = (np.arange(2000) + 0.5) / 2000
    s, c = np.sin(np.pi * t), np.cos(np.pi * t)
    second = np.pi**2 * (12 * s**2 * c**2 - 4 * s**4)
    change = 5 * (np.outer(second, s**4) + np.outer(s**4, second)) * (10 / 100) ** 2
    exact = (change**2).mean()
    coarse, fine = energy_on_grid(31), energy_on_grid(61)
    assert coarse == pytest.approx(fine, rel=0.03)
    assert fine == pytest.approx(exact, rel=0.01)


def test_energy_scales_as_its_units_say():
    mesh = delaunay_disk(80)
    laplacian = cotangent_laplacian(mesh.vertices, mesh.faces)
    areas = mass_matrix(mesh.vertices, mesh.faces).diagonal()
    one = laplacian_regulariser(laplacian, areas, 1.0, 1.0)
    assert abs(laplacian_regulariser(laplacian, areas, 3.0, 1.0) - 3 * one).max() < 1e-9
    assert abs(laplacian_regulariser(laplacian, areas, 1.0, 3.0) - 9 * one).max() < 1e-9


def test_matrices_are_those_of_the_map():
    parts = Parts()
    matrix = mapping_matrix(parts.map)
    assert matrix.shape == (PIXELS**2, 120)
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1, atol=1e-6)
    values = torch.randn(1, 120, 3, generator=torch.Generator().manual_seed(0))
    expected = parts.map(values)[0].reshape(3, -1).T
    np.testing.assert_allclose(matrix @ values[0].numpy(), expected.numpy(), atol=1e-5)
    stored = sparse_parts(matrix)
    assert stored["columns"].dtype == stored["starts"].dtype == torch.int32


def test_is_no_part_of_what_is_saved():
    """The generator is borrowed, and the matrices are made anew: nothing is stored twice."""
    assert not Parts().mapped.state_dict()
    assert not list(Parts().mapped.parameters())


def test_refuses_another_topology():
    parts, other = Parts(), delaunay_disk(90)
    geometry_map = GeometryMap(rasterize_uv(other.uv, other.faces, PIXELS))
    with pytest.raises(ShapeError, match="geometry map of 90 vertices, but the generator has 120"):
        MappedOutput(parts.generator, geometry_map, parts.regulariser)
