"""A map from Gaussian codes to codes of expressions that occur, with few units and no fold."""

import torch
from jaxtyping import Float
from torch import Tensor

RATE = 1e-2  # of Adam while the bend is learned
NEARNESS = 1e-5  # weight of staying near the identity, in units of the energy distance
LEAST_STRETCH = 0.3  # of the bend in any direction: less, and it begins to fold
FOLD_EVERY, FOLD_CODES = 4, 64  # steps between looks at the folds, and codes looked at
FAR = 3.0  # fits reach codes that are this many times larger than usual
TAIL, TAIL_EVERY, TAIL_CODES = 0.3, 2, 128  # weight of the tails, steps between looks, codes
LONELY = 0.99  # the share of training faces that have a neighbour nearer than a bent code must be


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


def fit_bend(
    bend: Bend,
    samples: Float[Tensor, "n d"],
    reach_mm: Float[Tensor, " d"],
    rng: torch.Generator,
    iterations: int,
    batch: int,
) -> None:
    """Learn a bend after which Gaussian codes are distributed like ``samples``.

    Minimised are the energy distance, folds, and rare codes that lie far from all samples. (A
    further term for the length of the codes at which fits find the samples was tried: it bends
    more, and random starts of a fit are then caught on the way.)

    Args:
        bend: changed in place.
        samples: codes of real faces.
        reach_mm: RMS displacement of the vertices per unit of each component.
        rng: of the batches.
        iterations: steps of Adam.
        batch: codes per step.
    """
    weight = (reach_mm / reach_mm.max()) ** 0.75  # between mm and deviations: both count
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
