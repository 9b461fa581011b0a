"""The decoupled adversarial model as a task: its phases and its losses."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from meshgan.geometry.proximity import mean_vertex_distance
from meshgan.models.base import Codes
from meshgan.models.discriminator import REALISM, DecoupledDiscriminator
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.mapped_output import MappedOutput
from meshgan.training import losses
from meshgan.training.task import Batch, Optimiser, Phase, Stream, Task, Terms
from meshgan.training.tasks.decoupled_gan_anchor import Anchor
from meshgan.training.tasks.decoupled_gan_batches import Normalisation, draw_codes
from meshgan.training.tasks.decoupled_gan_config import LossConfig, StepConfig

PAIRS_AT_ONCE = 128  # in a validation: 100 MB of faces at the paper's size


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
        anchor: holds the generator to its start at wide codes; none if None.

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
        anchor: Anchor | None = None,
    ) -> None:
        self.paint, self.anchor = paint, anchor
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
        held: dict[str, nn.Module] = {"mapped": self.mapped, "constants": self.constants}
        return held if self.anchor is None else {**held, "anchor": self.anchor}

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
                if len(pairs) and name not in weights.unclassified  # its branch learns nothing
            ]
            if shares:
                terms["feature"] = weights.feature * torch.stack(shares).sum()
        if self.anchor is not None:
            terms["anchor"] = weights.anchor * self.anchor(*self.anchor.draw(self.step.batch, rng))
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
        distances = []
        for start in range(0, pairs, PAIRS_AT_ONCE):
            rows = slice(start, start + PAIRS_AT_ONCE)
            faces = (
                self.generator.decode({name: code[rows] for name, code in codes.items()})
                for codes in (first, second)
            )
            distances.append(mean_vertex_distance(*faces))
        return float(torch.cat(distances).mean())

    def preview(self, rng: torch.Generator) -> Image.Image | None:
        """Random people in rows; the labels of the second factor in columns."""
        from meshgan.training.tasks.previews import people_by_label

        return people_by_label(self.generator, rng, self.paint)
