"""Where training begins: the additive model of the data, with codes bent to what occurs."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.models.baselines.additive import AdditiveModel
from meshgan.models.generator import DecoupledGenerator

PAIRS = 3000  # of faces, to compare the spread of bent codes with the data's
RATE = 1e-2  # of Adam while the bend is learned
NEARNESS = 1e-5  # weight of staying near the identity, in units of the energy distance
LEAST_STRETCH = 0.3  # of the bend in any direction: less, and it begins to fold
FOLD_EVERY, FOLD_CODES = 4, 64  # steps between looks at the folds, and codes looked at
FAR = 3.0  # fits reach codes that are this many times larger than usual
TAIL, TAIL_EVERY, TAIL_CODES = 0.3, 2, 128  # weight of the tails, steps between looks, codes
LONELY = 0.99  # the share of training faces that have a neighbour nearer than a bent code must be


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
    reach = torch.from_numpy(np.linalg.norm(basis, axis=1)).float()
    seen = sum(generator.code_sizes[name] for name in factors)
    bend = Bend(seen, len(reach), free, generator.slope, rng)
    _fit_bend(bend, torch.from_numpy(model.samples).float(), reach, rng, iterations, batch)
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


class Bend(torch.nn.Module):
    """c = g z + A f(U z + u): the identity at first; U sees the first ``seen`` components of z.

    The gain g is 1 for those and learned for the others.
    """

    def __init__(
        self, seen: int, size: int, units: int, slope: float, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.seen = seen
        self.inner, self.outer = torch.nn.Linear(seen, units), torch.nn.Linear(units, size, False)
        self.gain = torch.nn.Parameter(torch.ones(size - seen))
        self.slope = slope
        with torch.no_grad():
            rows = torch.randn(units, seen, generator=rng)
            self.inner.weight.copy_(1.5 * rows / rows.norm(dim=1, keepdim=True))
            self.inner.bias.copy_(4 * torch.rand(units, generator=rng) - 2)
            self.outer.weight.zero_()

    def forward(self, codes: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        """The bent codes."""
        straight = torch.cat([codes[..., : self.seen], self.gain * codes[..., self.seen :]], dim=-1)
        return straight + self.outer(
            torch.nn.functional.leaky_relu(self.inner(codes[..., : self.seen]), self.slope)
        )

    def least_stretch(self, codes: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
        """Smallest singular value of the derivative at some codes: 0 where the bend folds."""
        before = self.inner(codes[..., : self.seen])
        slopes = torch.where(before > 0, 1.0, self.slope)
        bent = torch.einsum("ou,bu,ui->boi", self.outer.weight, slopes, self.inner.weight)
        straight = torch.cat([codes.new_ones(self.seen), self.gain]).diag()
        unseen = bent.new_zeros(*bent.shape[:2], len(self.gain))
        return torch.linalg.svdvals(torch.cat([bent, unseen], dim=2) + straight)[:, -1]


def energy_distance(first: Float[Tensor, "B d"], second: Float[Tensor, "B d"]) -> Float[Tensor, ""]:
    """2 E|x - y| - E|x - x'| - E|y - y'| over two samples: 0 for equal distributions.

    Source: Székely & Rizzo 2013, Energy statistics, Eq. 1.
    """
    pairs = len(first) * (len(first) - 1)
    return (
        2 * torch.cdist(first, second).mean()
        - torch.cdist(first, first).sum() / pairs
        - torch.cdist(second, second).sum() / pairs
    )


def _fit_bend(
    bend: Bend,
    samples: Float[Tensor, "n d"],
    reach: Float[Tensor, " d"],
    rng: torch.Generator,
    iterations: int,
    batch: int,
) -> None:
    """Minimise the energy distance; never fold, and stay near the identity where that is free."""
    weight = (reach / reach.max()) ** 0.75  # between mm and standard deviations: both count
    known = samples * weight
    farthest = _neighbour_distances(known, known, exclude_self=True).quantile(LONELY)
    optimiser = torch.optim.Adam(bend.parameters(), lr=RATE)
    for iteration in range(iterations):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - iteration / iterations)
        codes = torch.randn(batch, samples.shape[1], generator=rng)
        rows = torch.randint(0, len(samples), (batch,), generator=rng)
        bent = bend(codes)
        loss = energy_distance(bent * weight, known[rows])
        loss = loss + NEARNESS * (bent - codes).square().sum(dim=1).mean()
        if iteration % TAIL_EVERY == 0:
            astray = _neighbour_distances(bent[:TAIL_CODES] * weight, known) - farthest
            loss = loss + TAIL * TAIL_EVERY * torch.relu(astray).square().mean()
        if iteration % FOLD_EVERY == 0:
            reaching = 1 + (FAR - 1) * torch.rand(FOLD_CODES, 1, generator=rng)
            stretch = bend.least_stretch(reaching * codes[:FOLD_CODES])
            loss = loss + torch.relu(LEAST_STRETCH - stretch).square().mean() * FOLD_EVERY
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _neighbour_distances(
    codes: Float[Tensor, "B d"], known: Float[Tensor, "n d"], exclude_self: bool = False
) -> Float[Tensor, " B"]:
    """Distance of each code to the nearest known one."""
    distances = torch.cdist(codes, known)
    if exclude_self:
        distances = distances + torch.eye(len(codes)) * float(distances.max())
    return distances.min(dim=1).values


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
