"""Where training begins: the additive model of the data, with codes bent to what occurs."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.models.baselines.additive import AdditiveModel
from meshgan.models.bend import Bend, fit_bend
from meshgan.models.generator import DecoupledGenerator

PAIRS = 3000  # of faces, to compare the spread of bent codes with the data's


@torch.no_grad()
def start_from_additive(
    generator: DecoupledGenerator, model: AdditiveModel, rng: torch.Generator, rest: float = 0.05
) -> None:
    """Make the generator equal to an additive model, with room left for what is not additive.

    Two hidden units of opposite sign make a linear path through the leaky ReLU, since
    f(x) - f(-x) = (1 + slope) x; each component of the codes gets such a pair. The other hidden
    units keep random input weights and get output weights ``rest`` times their usual size. The
    label codes become the model's.

    Raises:
        InputError: the hidden layer has fewer than two units per component of the codes.
    """
    width, components = generator.hidden.weight.shape
    if width < 2 * components:
        raise InputError(
            f"model.hidden is {width}: the additive start needs two units for each of "
            f"{components} code components; raise model.hidden or set start: random"
        )
    scale = float(generator.scale)
    paths = torch.arange(components)
    hidden, output = generator.hidden, generator.output
    hidden.weight[: 2 * components] = 0
    hidden.weight[2 * paths, paths] = 1
    hidden.weight[2 * paths + 1, paths] = -1
    hidden.bias[: 2 * components] = 0
    output.weight.mul_(rest)
    joined = np.concatenate([model.bases[name] for name in generator.code_sizes])
    columns = torch.from_numpy(joined.T / (scale * (1 + generator.slope))).float()
    output.weight[:, 2 * paths] = columns
    output.weight[:, 2 * paths + 1] = -columns
    output.bias.copy_(torch.from_numpy(model.mean / scale))
    if model.details is not None:
        generator.set_details(torch.from_numpy(model.details))
    generator.draw_label_codes(rng)
    for name, codes in model.codes.items():
        held = generator.label_codes(name)
        used = np.abs(model.bases[name]).max(axis=1) > 0
        held[:, torch.from_numpy(used)] = torch.from_numpy(codes[:, used]).float()


def bend_codes(
    generator: DecoupledGenerator,
    model: AdditiveModel,
    rng: torch.Generator,
    iterations: int = 3000,
    batch: int = 512,
) -> None:
    """Let Gaussian codes become expressions that occur, with the hidden units that are free.

    Expressions do not fill a Gaussian: faces rest, or move along a few ways to a few emotions. The
    free units learn a bend c = g z + A f(U z + u) of the codes that share the residual's principal
    directions, such that bent Gaussian codes are distributed like those of the training faces
    (least energy distance, then the same mean distance of pairs). The bend must not fold: else
    faces far apart would lie beside one another, and a fit to landmarks would be caught in a
    wrong fold. Nor may rare codes lead away from all faces: beyond the distance at which the most
    lonely training faces have a neighbour, they are drawn back. U sees the factors' codes and
    not the noise, which would otherwise choose the expression as well. The generator stays two
    layers; the labels' codes are then those whose bent value is the label's.

    Args:
        generator: started from ``model`` by ``start_from_additive``; changed in place.
        model: the additive model.
        rng: of the free units and the batches.
        iterations: steps of Adam; each costs milliseconds, whatever the number of vertices.
        batch: codes per step.

    Source: energy distance, Székely & Rizzo 2013, Eq. 1. The start itself is ours.
    """
    used = 2 * sum(generator.code_sizes.values())
    free = len(generator.hidden.weight) - used
    factors = [name for name in model.shared if name in model.codes]
    if free < 1 or not factors:
        return
    basis = np.concatenate([model.bases[name] for name in model.shared])
    reach_mm = torch.from_numpy(np.linalg.norm(basis, axis=1) / np.sqrt(basis.shape[1] / 3)).float()
    seen = sum(generator.code_sizes[name] for name in factors)
    bend = Bend(seen, len(reach_mm), free, generator.slope, rng)
    fit_bend(bend, torch.from_numpy(model.samples).float(), reach_mm, rng, iterations, batch)
    gain = _spread(model.samples, basis, rng) / _spread(_bent(bend, rng), basis, rng)
    columns = torch.cat([_columns(generator, name) for name in factors])
    with torch.no_grad():
        generator.hidden.weight[used:] = 0
        generator.hidden.weight[used:, columns] = bend.inner.weight
        generator.hidden.bias[used:] = bend.inner.bias
        moved = gain * torch.from_numpy(basis.T).float() @ bend.outer.weight
        generator.output.weight[:, used:] = moved / generator.scale
        straight = torch.cat([torch.ones(seen), bend.gain])
        for offset in (0, 1):  # the two units of each linear path
            paths = 2 * torch.cat([_columns(generator, name) for name in model.shared]) + offset
            generator.output.weight[:, paths] *= gain * straight
    sizes = {name: generator.code_sizes[name] for name in model.shared}
    for name in factors:
        target = torch.from_numpy(model.codes[name]).float() / gain
        generator.label_codes(name).copy_(_codes_that_bend_to(target, name, sizes, bend, rng))


@torch.no_grad()
def mix_codes(generator: DecoupledGenerator, rng: torch.Generator) -> None:
    """Turn all codes into one another, by one random rotation of the joined codes.

    Random faces stay as they are, since Gaussian codes do not change under rotation; but each code
    now moves a share of everything: who somebody is, the expression and what no code should say.
    The labels keep their codes. What is decoupled afterwards, the losses have decoupled.

    Args:
        generator: changed in place.
        rng: of the rotation.
    """
    size = generator.hidden.weight.shape[1]
    rotation, _ = torch.linalg.qr(torch.randn(size, size, generator=rng))
    turned = generator.hidden.weight @ rotation.to(generator.hidden.weight)
    generator.hidden.weight.copy_(turned)


@torch.no_grad()
def _bent(bend: "Bend", rng: torch.Generator, count: int = 2 * PAIRS) -> np.ndarray:
    size = bend.seen + len(bend.gain)
    return bend(torch.randn(count, size, generator=rng)).numpy()


def _spread(codes: np.ndarray, basis: np.ndarray, rng: torch.Generator) -> float:
    """Mean vertex distance (mm) of pairs of faces with these codes (n, d)."""
    order = torch.randperm(len(codes), generator=rng).numpy()
    first, second = np.array_split(codes[order], 2)
    first, second = first[: min(len(first), PAIRS)], second[: min(len(second), PAIRS)]
    pairs = min(len(first), len(second))
    differences = np.array_split(first[:pairs] - second[:pairs], max(1, pairs // 200))
    distances = [
        np.linalg.norm((part @ basis).reshape(len(part), -1, 3), axis=2).mean(axis=1)
        for part in differences
    ]
    return float(np.concatenate(distances).mean())


def _codes_that_bend_to(
    target: Float[Tensor, "K d"],
    name: str,
    sizes: Mapping[str, int],
    bend: Bend,
    rng: torch.Generator,
    draws: int = 64,
) -> Float[Tensor, "K d"]:
    """Codes of factor ``name`` that, whatever the others are, bend to ``target`` on average."""
    names = list(sizes)
    before = sum(sizes[other] for other in names[: names.index(name)])
    mine = slice(before, before + sizes[name])
    others = torch.randn(draws, 1, sum(sizes.values()), generator=rng)
    codes = target.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([codes], lr=0.05)
    for _ in range(400):
        joined = others.expand(-1, len(codes), -1).clone()
        joined[..., mine] = codes
        reached = bend(joined.flatten(0, 1)).unflatten(0, (draws, -1))[..., mine].mean(dim=0)
        loss = (reached - target).square().sum() + 1e-3 * codes.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return codes.detach()


def _columns(generator: DecoupledGenerator, name: str) -> Int[Tensor, " d"]:
    """Where a factor's code stands in the joined codes."""
    names = list(generator.code_sizes)
    start = sum(generator.code_sizes[other] for other in names[: names.index(name)])
    return torch.arange(start, start + generator.code_sizes[name])
