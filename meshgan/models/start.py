"""Where training begins: the additive model of the data, then what is not additive in it."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int

from meshgan.errors import InputError
from meshgan.models.baselines.additive import AdditiveModel, Passes
from meshgan.models.generator import DecoupledGenerator

log = logging.getLogger(__name__)


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


@torch.no_grad()
def learn_remainder(
    generator: DecoupledGenerator,
    model: AdditiveModel,
    chunks: Passes,
    labels: Mapping[str, Int[np.ndarray, " N"]],
    first: str,
    ridges: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0),
) -> float:
    """Let the free hidden units explain what the additive model leaves of the training faces.

    A mouth that opens on an arc, lips that meet, a smile that depends on the person: each face's
    codes are read off the additive model, and the output weights of the hidden units that it
    does not use are set by ridge regression of the remainder. The strength of the ridge is the
    one that explains most of the faces of people left out.

    Args:
        generator: started from ``model`` by ``start_from_additive``; changed in place.
        model: the additive model.
        chunks: starts a pass over the data each time it is called.
        labels: by factor (N,), -1 where unlabelled.
        first: the factor whose labels give the person of each face (all labelled).
        ridges: strengths to choose from, relative to the mean square of the units.

    Returns:
        Share of the remainder of people left out that is explained (0: nothing, nothing changed).
    """
    used = 2 * sum(generator.code_sizes.values())
    if used >= len(generator.hidden.weight):
        return 0.0
    _spread_free_units(generator, first, used)
    held_out = labels[first] % 5 == 0
    sums = {True: _Moments(), False: _Moments()}
    for rows, values in chunks():
        codes, remainder = _codes_and_remainder(
            generator, model, values, labels[first][rows], first
        )
        units = generator.activations(codes)[:, used:].double().numpy()
        for part, moments in sums.items():
            chosen = held_out[rows] == part
            moments.add(units[chosen], remainder[chosen])
    best, gain = 0.0, 0.0
    for ridge in ridges:
        explained = sums[True].explained(sums[False].solve(ridge))
        if explained > gain:
            best, gain = ridge, explained
    if best:
        solution = (sums[True] + sums[False]).solve(best)
        scale = float(generator.scale)
        generator.output.weight[:, used:] = torch.from_numpy(solution[:-1].T / scale).float()
        generator.output.bias += torch.from_numpy(solution[-1] / scale).float()
    log.info("start: %.0f %% of what is not additive explained on people left out", 100 * gain)
    return gain


def _spread_free_units(generator: DecoupledGenerator, first: str, used: int) -> None:
    """Turn the free units to bend within the range of the codes; half ignore the first factor."""
    weight, bias = generator.hidden.weight[used:], generator.hidden.bias[used:]
    columns = torch.ones(weight.shape[1], dtype=torch.bool)
    start = 0
    for name, size in generator.code_sizes.items():
        if name == first:
            columns[start : start + size] = False
        start += size
    if columns.any():
        weight[::2, ~columns] = 0
    weight /= weight.norm(dim=1, keepdim=True).clamp(min=1e-12)
    bias /= bias.abs().max().clamp(min=1e-12)


def _codes_and_remainder(
    generator: DecoupledGenerator,
    model: AdditiveModel,
    values: np.ndarray,
    labels: np.ndarray,
    first: str,
) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """Codes of faces as the additive model reads them, and what it does not reach."""
    table = model.codes[first][labels]
    person = values - model.mean - table @ model.bases[first]
    codes, rest = {first: table}, person
    for name in generator.code_sizes:
        if name != first:
            basis = model.bases[name]
            squared = (basis**2).sum(axis=1)
            codes[name] = (person @ basis.T) / np.where(squared > 1e-12, squared, np.inf)
            rest = rest - codes[name] @ basis
    tensors = {name: torch.from_numpy(codes[name]).float() for name in generator.code_sizes}
    return tensors, rest


class _Moments:
    """Sums that a ridge regression needs, gathered chunk by chunk."""

    def __init__(self) -> None:
        self.gram: np.ndarray | float = 0.0
        self.cross: np.ndarray | float = 0.0
        self.square, self.count = 0.0, 0

    def add(self, units: np.ndarray, targets: np.ndarray) -> None:
        units = np.column_stack([units, np.ones(len(units))])
        self.gram = self.gram + units.T @ units
        self.cross = self.cross + units.T @ targets
        self.square += float((targets**2).sum())
        self.count += len(units)

    def __add__(self, other: "_Moments") -> "_Moments":
        total = _Moments()
        total.gram, total.cross = self.gram + other.gram, self.cross + other.cross
        total.square, total.count = self.square + other.square, self.count + other.count
        return total

    def solve(self, ridge: float) -> np.ndarray:
        """Minimise ||units W - targets||^2 + ridge * trace/size * ||W||^2 over W (units + 1, 3V)."""
        gram = np.asarray(self.gram)
        strength = ridge * np.trace(gram) / len(gram)
        return np.linalg.solve(gram + strength * np.eye(len(gram)), self.cross)

    def explained(self, solution: np.ndarray) -> float:
        """Share of the squared targets that ``solution`` removes."""
        fitted = np.sum(solution * (np.asarray(self.gram) @ solution))
        error = self.square - 2 * np.sum(solution * self.cross) + fitted
        return float(1 - error / max(self.square, 1e-300))
