"""The decoupled GAN's step: codes as the paper draws them; fast equals plain."""

import pytest
import torch

from meshgan.apps.benchmarks.plain_gan import PlainGAN
from meshgan.apps.benchmarks.train import Round, make_task
from meshgan.models.generator import DecoupledGenerator
from meshgan.training.tasks.decoupled_gan import DecoupledGAN
from meshgan.training.tasks.decoupled_gan_batches import draw_codes
from meshgan.training.tasks.decoupled_gan_config import LossConfig

SIZE = {"vertices": 200, "identities": 5, "batch": 16, "image_size": 32}


def generator_of(factors):
    made = DecoupledGenerator(
        torch.zeros(3, 3),
        torch.tensor([[0, 1, 2]]),
        {name: tuple("abcd") for name in factors},
        {**{name: 6 for name in factors}, "noise": 2},
        hidden=8,
    )
    made.draw_label_codes(torch.Generator().manual_seed(0))
    return made


@pytest.mark.parametrize("turn", range(6))
@pytest.mark.parametrize("factors", [("identity",), ("identity", "expression"), tuple("xyz")])
def test_codes_are_labelled_in_turn_and_shared_in_pairs(factors, turn):
    generator = generator_of(factors)
    drawn = draw_codes(generator, 12, turn, torch.Generator().manual_seed(turn))
    assert drawn.labelled == factors[turn % len(factors)]
    table = generator.label_codes(drawn.labelled)
    assert torch.equal(drawn.codes[drawn.labelled], table[drawn.labels])
    assert set(drawn.pairs) == set(factors) - {drawn.labelled}
    covered = torch.cat([*drawn.pairs.values(), torch.empty(0, dtype=torch.int64)]).sort().values
    assert torch.equal(covered, torch.arange(6 if len(factors) > 1 else 0))
    for name in drawn.pairs:
        first, second = drawn.codes[name].chunk(2)
        same = (first == second).all(dim=1)
        assert torch.equal(torch.nonzero(same)[:, 0], drawn.pairs[name])  # these, and no others
    noise = drawn.codes["noise"]
    assert len(noise.unique(dim=0)) == 12


def round_of(kind, loss=None, precision="32"):
    made = Round(make_task(kind, SIZE, precision), fused=kind is DecoupledGAN, precision=precision)
    if loss:
        made.task.weights = loss
    labels = made.task.stream.labels["expression"]
    labels[: len(labels) // 2] = torch.arange(len(labels) // 2) % 7  # some in every batch
    return made


@pytest.mark.parametrize("iteration", [0, 1])
@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_fast_step_equals_plain_step(phase, iteration):
    """Same losses and gradients to 1e-4 relative: fused layer, mapped images, exact penalty."""
    fast, plain = round_of(DecoupledGAN), round_of(PlainGAN)
    terms = {}
    for name, made in (("fast", fast), ("plain", plain)):
        made.iteration = iteration
        made.rng.manual_seed(5)
        terms[name] = made.terms(phase)
        torch.stack(list(terms[name].values())).sum().backward()
    assert terms["fast"].keys() == terms["plain"].keys()
    assert all(abs(value) > 1e-6 for value in terms["plain"].values())
    for key, value in terms["plain"].items():
        torch.testing.assert_close(terms["fast"][key], value, rtol=1e-4, atol=1e-6, msg=key)
    fast_net, plain_net = (made.task.modules()[phase] for made in (fast, plain))
    for (name, p), q in zip(fast_net.named_parameters(), plain_net.parameters(), strict=True):
        # the last realism bias cancels exactly in the loss: its gradient is rounding alone
        assert (p.grad - q.grad).norm() < 1e-4 * q.grad.norm() + 1e-7, name


def test_fast_rounds_follow_plain_rounds():
    """Three whole rounds, optimisers and rebuilt layers included, end at the same weights."""
    fast, plain = round_of(DecoupledGAN), round_of(PlainGAN)
    for _ in range(3):
        fast()
        plain()
    for phase in ("discriminator", "generator"):
        for p, q in zip(
            fast.task.modules()[phase].parameters(),
            plain.task.modules()[phase].parameters(),
            strict=True,
        ):
            torch.testing.assert_close(p, q, rtol=1e-2, atol=1e-5)


def test_bf16_step_is_near_the_float32_step():
    exact, low = round_of(DecoupledGAN), round_of(DecoupledGAN, precision="bf16")
    for made in (exact, low):
        made.rng.manual_seed(5)
    for phase in ("discriminator", "generator"):
        for key, value in exact.terms(phase).items():
            torch.testing.assert_close(low.terms(phase)[key], value, rtol=0.2, atol=0.2, msg=key)
            low.rng.manual_seed(5)
            exact.rng.manual_seed(5)


def test_ablations_leave_terms_out():
    without = round_of(DecoupledGAN, LossConfig(feature=0.0, unclassified=("expression",)))
    assert "expression" not in without.terms("discriminator")
    without.iteration = 1  # the expression's turn
    assert set(without.terms("generator")) == {"wasserstein", "laplacian"}


def test_a_branch_that_learns_nothing_gives_no_features():
    """Without a classifier of expressions, pairs that share one are not compared."""
    without = round_of(DecoupledGAN, LossConfig(unclassified=("expression",)))
    without.iteration = 0  # identities have labels, expressions are shared in pairs
    assert set(without.terms("generator")) == {"wasserstein", "laplacian", "identity"}
    without.iteration = 1
    assert set(without.terms("generator")) == {"wasserstein", "laplacian", "feature"}


def test_generator_step_leaves_discriminator_without_gradient():
    made = round_of(DecoupledGAN)
    torch.stack(list(made.terms("generator").values())).sum().backward()
    assert all(p.grad is None for p in made.task.discriminator.parameters())
    assert all(p.grad is not None for p in made.task.generator.parameters())
