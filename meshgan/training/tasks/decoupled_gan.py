"""The decoupled adversarial model as a task: its phases, its codes, its losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from meshgan.config import require
from meshgan.geometry.proximity import mean_vertex_distance
from meshgan.models.base import Codes
from meshgan.models.discriminator import REALISM, DecoupledDiscriminator
from meshgan.models.generator import NOISE, DecoupledGenerator
from meshgan.models.mapped_output import MappedOutput
from meshgan.training import losses
from meshgan.training.optimisation import OptimiserConfig
from meshgan.training.task import Batch, Optimiser, Phase, Stream, Task, Terms


@dataclass(frozen=True)
class ModelConfig:
    """The networks. Defaults: the paper's, Sec. 5.1 and Fig. 11."""

    codes: dict[str, int] = field(default_factory=lambda: {"identity": 65, "expression": 15})
    """Length of each factor's code; the factors, and their order."""
    noise: int = 5
    hidden: int = 512
    slope: float = 0.2
    """Slope of the leaky ReLU below zero (the paper's table; its text says ReLU: 0)."""
    image_size: int = 64
    uv: Literal["template", "harmonic", "slim", "mean_value", "uniform"] = "harmonic"
    """Map to the unit square: the paper's ``harmonic``, ``slim`` (keeps nostrils and lips), ...;
    ``template``: the one that comes with the template."""
    trunk: tuple[int, ...] = (16, 32)
    branch: tuple[int, ...] = (64, 128)
    start: Literal["random", "additive"] = "random"
    """``additive``: begin as the additive model of the labelled data instead of at random."""

    def __post_init__(self) -> None:
        require(
            self,
            codes=len(self.codes) > 0 and all(size > 0 for size in self.codes.values()),
            noise=self.noise >= 0,
            hidden=self.hidden > 0,
            slope=0 <= self.slope < 1,
            image_size=self.image_size > 0,
        )

    @property
    def code_sizes(self) -> dict[str, int]:
        """Length of each code, noise last."""
        return {**self.codes, NOISE: self.noise}


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses. Defaults: the paper's, Sec. 5.1; 0 leaves a term out."""

    gan: float = 1.0
    """l1 of Eq. 8."""
    classification: float = 1.0
    """l2 of Eq. 8."""
    feature: float = 0.5
    """l3 of Eq. 8."""
    laplacian: float = 100.0
    """l4 of Eq. 8."""
    discriminator_classification: float = 0.1
    """lambda_C of Eq. 6."""
    gradient_penalty: float = 10.0
    """Gulrajani et al. 2017."""
    instance_noise: float = 0.1
    """Standard deviation of the noise on the discriminator's input, in units of the data RMS."""
    laplacian_length_mm: float = 1.0
    """l of the regulariser |l^2 Delta d|^2: its unit of length."""
    class_weights: Literal["inverse_frequency", "rare_events", "none"] = "inverse_frequency"
    unclassified: tuple[str, ...] = ()
    """Factors without classification loss (an ablation of the paper)."""

    def __post_init__(self) -> None:
        values = {
            name: getattr(self, name) >= 0
            for name, value in vars(self).items()
            if isinstance(value, int | float)
        }
        require(self, **values)


@dataclass(frozen=True)
class StepConfig:
    """How the networks are stepped. Defaults: the paper's, Sec. 5.1."""

    batch: int = 64
    discriminator_steps: int = 3
    """Discriminator steps per generator step."""
    discriminator_first: int = 0
    """Iterations in which only the discriminator steps: a good start is not thrown about by a
    judge who has seen nothing yet."""
    generator: OptimiserConfig = field(default_factory=OptimiserConfig)
    discriminator: OptimiserConfig = field(default_factory=OptimiserConfig)
    penalty: Literal["piecewise", "double_backward"] = "piecewise"
    """How the gradient penalty is computed: the same number and gradient either way."""

    def __post_init__(self) -> None:
        require(
            self,
            batch=self.batch >= 2 and self.batch % 2 == 0,
            discriminator_steps=self.discriminator_steps >= 1,
            discriminator_first=self.discriminator_first >= 0,
        )


@dataclass(frozen=True, eq=False)
class Normalisation:
    """How displacement images (mm) become the discriminator's input: (x - mean) / scale.

    Args:
        mean: mean image of the training data (3, n, n), mm.
        scale: RMS of the training displacements, mm; the unit of the generator's output.
    """

    mean: Float[Tensor, "3 n n"]
    scale: float


@runtime_checkable
class ResumableOrder(Protocol):
    """Row numbers batch by batch, from where ``load_state_dict`` put it."""

    def __next__(self) -> Int[np.ndarray, " B"]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class ImageStream:
    """Batches of normalised geometry images with their labels.

    Args:
        images: displacement images (N, 3, n, n) in mm, in memory or memory-mapped.
        labels: by factor (N,), -1 where unlabelled.
        normalisation: applied to every batch.
        order: gives row numbers, and remembers where it is.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: Mapping[str, Int[np.ndarray, " N"]],
        normalisation: Normalisation,
        order: ResumableOrder,
    ) -> None:
        self.images, self.order, self.normalisation = images, order, normalisation
        self.labels = {name: torch.from_numpy(np.asarray(rows)) for name, rows in labels.items()}

    def next(self) -> Batch:
        """Images (B, 3, n, n) and labels (B,) by factor."""
        rows = np.asarray(next(self.order))
        images = torch.from_numpy(np.asarray(self.images[rows], dtype=np.float32))
        images = (images - self.normalisation.mean) / self.normalisation.scale
        index = torch.from_numpy(rows)
        return {
            "images": images,
            "labels": {name: labels[index] for name, labels in self.labels.items()},
        }

    def state_dict(self) -> dict[str, Any]:
        return self.order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order.load_state_dict(state)


@dataclass(frozen=True, eq=False)
class FakeBatch:
    """Codes of generated faces, and what the losses must know of them.

    Args:
        codes: by factor, and ``noise`` (B, d).
        labelled: the factor whose codes stand for labels.
        labels: those labels (B,).
        pairs: by unlabelled factor, the pairs p whose faces p and p + B/2 share its code.
    """

    codes: Codes
    labelled: str
    labels: Int[Tensor, " B"]
    pairs: dict[str, Int[Tensor, " _"]]


def draw_codes(
    generator: DecoupledGenerator, count: int, turn: int, rng: torch.Generator
) -> FakeBatch:
    """Codes of one batch: factor ``turn`` takes labelled codes, the others Gaussian ones in pairs.

    Faces p and p + count/2 are a pair. The unlabelled factors take turns over the pairs: each
    pair shares the code of one of them and differs in all else.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.3.
    """
    factors = list(generator.factors)
    labelled = factors[turn % len(factors)]
    others = [name for name in factors if name != labelled]
    codes = generator.sample_codes(count, rng)
    half = count // 2
    shared_by = torch.arange(half) % max(len(others), 1)
    pairs = {name: torch.nonzero(shared_by == k).squeeze(1) for k, name in enumerate(others)}
    for name, members in pairs.items():
        codes[name][half + members] = codes[name][members]
    table = generator.label_codes(labelled)
    labels = torch.randint(len(table), (count,), generator=rng, device=rng.device)
    codes[labelled] = table[labels.to(table.device)]
    return FakeBatch(codes, labelled, labels.to(table.device), pairs)


class _Constants(nn.Module):
    """What the losses use as it is, moved to the device with the modules."""

    mean_image: Float[Tensor, "3 n n"]


class DecoupledGAN(Task):
    """Trains generator and discriminator with the losses of Eqs. 6 and 8.

    Args:
        generator: with its label codes drawn.
        discriminator: one branch per factor of the generator.
        mapped: the generator's output layer seen through the geometry map.
        stream: normalised real images with labels.
        normalisation: the stream's.
        loss: weights of the losses.
        step: batch size, step ratio, optimisers.
        class_weights: by factor (K,), mean 1 over the labelled data; none for equal weights.
        reference: numbers of the training data, by the names that ``validate`` uses.
        paint: colour of each vertex (V, 3), 0 to 1, for previews.

    Source: Fernández Abrevaya et al. 2019, Secs. 4.3 and 5.1.
    """

    def __init__(
        self,
        generator: DecoupledGenerator,
        discriminator: DecoupledDiscriminator,
        mapped: MappedOutput,
        stream: Stream,
        normalisation: Normalisation,
        loss: LossConfig,
        step: StepConfig,
        class_weights: Mapping[str, Float[np.ndarray, " K"]] | None = None,
        reference: Mapping[str, float] | None = None,
        paint: Float[np.ndarray, "V 3"] | None = None,
    ) -> None:
        self.paint = paint
        self.generator, self.discriminator, self.mapped = generator, discriminator, mapped
        self.stream, self.weights, self.step = stream, loss, step
        self.reference = dict(reference or {})
        constants = _Constants()
        mean = (normalisation.mean / normalisation.scale).float()
        constants.register_buffer("mean_image", mean, persistent=False)
        for name, values in (class_weights or {}).items():
            buffer = torch.as_tensor(values, dtype=torch.float32)
            constants.register_buffer(f"weights_{name}", buffer, persistent=False)
        self.constants = constants
        self._turns = 0

    # ---- what the trainer asks

    def modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def frozen(self) -> dict[str, nn.Module]:
        return {"mapped": self.mapped, "constants": self.constants}

    def streams(self) -> dict[str, Stream]:
        return {"main": self.stream}

    def optimisers(self) -> dict[str, Optimiser]:
        return {
            "generator": Optimiser(("generator",), self.step.generator),
            "discriminator": Optimiser(("discriminator",), self.step.discriminator),
        }

    def plan(self, iteration: int) -> Sequence[Phase]:
        learn = Phase("discriminator", ("discriminator",))
        generate = Phase("generator", ("generator",), fresh=False)
        steps = (learn,) * self.step.discriminator_steps
        return steps if iteration < self.step.discriminator_first else (*steps, generate)

    def loss(self, phase: str, batch: Batch, iteration: int, rng: torch.Generator) -> Terms:
        if phase == "discriminator":
            return self.discriminator_terms(batch, rng, turn=iteration + self._next_turn())
        return self.generator_terms(rng, turn=iteration)

    def after_step(self, phase: str, iteration: int) -> None:
        if phase != "discriminator":
            self.mapped.refresh()
            self._turns = 0

    def _next_turn(self) -> int:
        self._turns += 1
        return self._turns - 1

    # ---- the losses

    def discriminator_terms(self, batch: Batch, rng: torch.Generator, turn: int) -> Terms:
        """Eq. 6, negated: what the discriminator minimises."""
        weights = self.weights
        real = self._noisy(self.real_images(batch), rng)
        drawn = draw_codes(self.generator, len(real), turn, rng)
        fake = self._noisy(self.fake_images(drawn.codes), rng)
        shared = self.discriminator.shared(real)
        realism = self.discriminator.branches[REALISM](shared)[0].squeeze(1).float()
        terms = {
            "wasserstein": weights.gan
            * losses.wasserstein_discriminator(realism, self.discriminator.realism(fake).float()),
            "penalty": weights.gradient_penalty * self._penalty(real, fake, rng),
        }
        for name in self.generator.factors:
            if name not in weights.unclassified:
                terms[name] = weights.discriminator_classification * self._classify(
                    name, shared, batch["labels"][name]
                )
        return terms

    def _classify(
        self, factor: str, shared: Float[Tensor, "B C s s"], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, ""]:
        """Label loss of one branch; where few are labelled, the branch sees only those."""
        labelled = labels >= 0
        if shared.device.type == "cpu" and labelled.sum() < len(labels) // 2:
            shared, labels = shared[labelled], labels[labelled]
        outputs = self.discriminator.branches[factor](shared)[0].float()
        return losses.label_loss(outputs, labels, self._class_weights(factor))

    def generator_terms(self, rng: torch.Generator, turn: int) -> Terms:
        """Eq. 8, negated: what the generator minimises."""
        weights = self.weights
        drawn = draw_codes(self.generator, self.step.batch, turn, rng)
        images, energy = self.fake_images_and_energy(drawn.codes)
        judged = self.discriminator(self._noisy(images, rng))
        terms = {
            "wasserstein": weights.gan
            * losses.wasserstein_generator(judged[REALISM][0].squeeze(1).float()),
            "laplacian": weights.laplacian * energy,
        }
        if drawn.labelled not in weights.unclassified:
            terms[drawn.labelled] = weights.classification * losses.label_loss(
                judged[drawn.labelled][0].float(), drawn.labels
            )
        if weights.feature and drawn.pairs:
            half = self.step.batch // 2
            shares = [
                losses.feature_loss(
                    judged[name][1][:half][pairs].float(), judged[name][1][half:][pairs].float()
                )
                for name, pairs in drawn.pairs.items()
                if len(pairs)
            ]
            terms["feature"] = weights.feature * torch.stack(shares).sum()
        return terms

    def real_images(self, batch: Batch) -> Float[Tensor, "B 3 n n"]:
        """Normalised images of real faces: mapped once, long before."""
        return batch["images"]

    @torch.no_grad()
    def fake_images(self, codes: Codes) -> Float[Tensor, "B 3 n n"]:
        """Normalised images of generated faces, without gradient."""
        hidden = self.generator.activations(codes).float()
        return self.mapped.images(hidden) - self.constants.mean_image

    def fake_images_and_energy(
        self, codes: Codes
    ) -> tuple[Float[Tensor, "B 3 n n"], Float[Tensor, ""]]:
        """Normalised images of generated faces, and their mean Laplacian energy (Eq. 12)."""
        hidden = self.generator.activations(codes).float()
        images, energy = self.mapped.images_and_energy(hidden)
        return images - self.constants.mean_image, energy

    def _penalty(self, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        between = losses.interpolate_pairs(real, fake, rng)
        if self.step.penalty == "double_backward":
            return losses.gradient_penalty_by_double_backward(self.discriminator.realism, between)
        return losses.PiecewiseLinearPenalty(self.discriminator, between).loss()

    def _noisy(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Instance noise, Sec. 5.1."""
        sigma = self.weights.instance_noise
        if sigma == 0:
            return images
        noise = torch.randn(images.shape, generator=rng, device=rng.device)
        return torch.add(images, noise.to(images.device), alpha=sigma)

    def _class_weights(self, factor: str) -> Tensor | None:
        return getattr(self.constants, f"weights_{factor}", None)

    # ---- what a person looks at

    def validate(self, rng: torch.Generator) -> dict[str, float]:
        """Diversity beside the training data's, from 1,024 pairs of each kind, and the energy."""
        pairs = 1024
        scores = {"score/diversity": self._pair_distance(rng, pairs, None)}
        for name in self.generator.factors:
            scores[f"score/diversity_{name}"] = self._pair_distance(rng, pairs, name)
        faces = self.generator(self.generator.sample_codes(64, rng))
        scores["score/laplacian"] = self.mapped.energy(faces)
        ratios = {
            f"{key}_ratio": scores[key] / value
            for key, value in self.reference.items()
            if key in scores and value > 0
        }
        return scores | ratios

    def _pair_distance(self, rng: torch.Generator, pairs: int, shared: str | None) -> float:
        first = self.generator.sample_codes(pairs, rng)
        second = self.generator.sample_codes(pairs, rng)
        if shared:
            second[shared] = first[shared]
        distances = mean_vertex_distance(
            self.generator.decode(first), self.generator.decode(second)
        )
        return float(distances.mean())

    def preview(self, rng: torch.Generator) -> Image.Image | None:
        """Random people in rows; the labels of the second factor in columns."""
        from meshgan.pictures.render import render_faces
        from meshgan.pictures.sheet import contact_sheet

        generator, people = self.generator, 4
        factors = list(generator.factors)
        columns = factors[1] if len(factors) > 1 else factors[0]
        table = generator.label_codes(columns)[:8]
        drawn = generator.sample_codes(people, rng)
        rows = []
        for person in range(people):
            codes = {
                name: code[person : person + 1].expand(len(table), -1)
                for name, code in drawn.items()
            }
            codes[columns] = table
            faces = generator.decode(codes).cpu()
            pictures = render_faces(faces, generator.faces.cpu(), 160, colour=self.paint)
            rows.append(list(pictures))
        return contact_sheet(
            rows,
            title=f"{people} random people, every {columns}",
            row_labels=[f"person {k + 1}" for k in range(people)],
            column_labels=list(generator.factors[columns][: len(table)]),
        )
