"""``bench train``: one training round beside a plain PyTorch writing of the same round."""

import itertools
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.plain_gan import MeshStream, PlainGAN
from meshgan.apps.benchmarks.timing import alternate
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.discriminator import DecoupledDiscriminator
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.geometry_map import GeometryMap
from meshgan.models.mapped_output import MappedOutput, laplacian_regulariser
from meshgan.training.tasks.decoupled_gan import DecoupledGAN
from meshgan.training.tasks.decoupled_gan_batches import Normalisation
from meshgan.training.tasks.decoupled_gan_config import LossConfig, ModelConfig, StepConfig

PAPER_SIZE = {"vertices": 22_129, "identities": 299, "batch": 64, "image_size": 64}
SMALL_SIZE = {"vertices": 300, "identities": 6, "batch": 8, "image_size": 32}


def run(rounds: int = 7, small: bool = False, precision: str = "32") -> dict[str, Any]:
    """Time a round (3 discriminator steps and 1 generator step), fast and plain in turn.

    Returns:
        ms, plain_ms, ratio with its range, peak memory, and the floor: operations over the
        matrix rate measured here and bytes over the measured bandwidth.
    """
    size = SMALL_SIZE if small else PAPER_SIZE
    fast = Round(
        make_task(DecoupledGAN, size, precision=precision), fused=True, precision=precision
    )
    plain = Round(make_task(PlainGAN, size), fused=False)
    timing = alternate(fast, plain, rounds=rounds, warmup=2)
    floor = floor_of_round(size, precision)
    return {
        "what": f"one round, {size['vertices']:,} vertices, batch {size['batch']}, {precision}",
        "ms": timing.ms,
        "plain_ms": timing.plain_ms,
        "ratio": timing.ratio,
        "ratio_low": timing.ratio_low,
        "ratio_high": timing.ratio_high,
        "threads": torch.get_num_threads(),
        "floor_ms": floor["total_ms"],
        "floor": floor,
        "parts_ms": fast.parts_ms(),
        "plain_parts_ms": plain.parts_ms(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class Round:
    """One iteration of a task with its optimisers, as a callable; keeps the time of its parts."""

    def __init__(self, task: DecoupledGAN, fused: bool, precision: str = "32") -> None:
        self.task, self.precision, self.iteration = task, precision, 0
        self.rng = seeding.torch_generator(0, "bench")
        make = lambda module: torch.optim.Adam(  # noqa: E731
            module.parameters(), 2e-4, fused=True if fused else None
        )
        self.optimisers = {name: make(module) for name, module in task.modules().items()}
        self.times: dict[str, list[float]] = {"discriminator": [], "generator": []}

    def __call__(self) -> dict[str, float]:
        """Run the plan once; the values of all terms."""
        values = {}
        for phase in self.task.plan(self.iteration):
            started = time.perf_counter()
            terms = self.terms(phase.name, phase.fresh)
            torch.stack(list(terms.values())).sum().backward()
            self.optimisers[phase.name].step()
            self.optimisers[phase.name].zero_grad(set_to_none=True)
            self.task.after_step(phase.name, self.iteration)
            values |= {f"{phase.name}/{key}": float(term.detach()) for key, term in terms.items()}
            self.times[phase.name].append(1e3 * (time.perf_counter() - started))
        self.iteration += 1
        return values

    def terms(self, phase: str, fresh: bool = True) -> dict[str, torch.Tensor]:
        """Losses of one phase, with gradients on for its own network alone."""
        for name, module in self.task.modules().items():
            module.requires_grad_(name == phase)
        batch = self.task.stream.next() if fresh else {}
        low = self.precision == "bf16"
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            return self.task.loss(phase, batch, self.iteration, self.rng)

    def parts_ms(self) -> dict[str, float]:
        """Median time of a step of each network."""
        return {name: float(np.median(times)) for name, times in self.times.items()}


def make_task(
    kind: Callable[..., DecoupledGAN], size: dict[str, int], precision: str = "32"
) -> DecoupledGAN:
    """The task on an artificial disk of the given size, with random faces and labels."""
    mesh = delaunay_disk(size["vertices"])
    assert mesh.uv is not None
    lookup = rasterize_uv(mesh.uv, mesh.faces, size["image_size"])
    labels = {
        "identity": tuple(f"person{k}" for k in range(size["identities"])),
        "expression": tuple(f"expression{k}" for k in range(7)),
    }
    torch.manual_seed(0)
    model = ModelConfig(image_size=size["image_size"])
    generator = DecoupledGenerator(
        torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces), labels, model.code_sizes
    )
    generator.draw_label_codes(seeding.torch_generator(0, "codes"))
    counts = {name: len(values) for name, values in labels.items()}
    discriminator = DecoupledDiscriminator(counts, size["image_size"])
    laplacian = cotangent_laplacian(mesh.vertices, mesh.faces)
    areas = mass_matrix(mesh.vertices, mesh.faces).diagonal()
    regulariser = laplacian_regulariser(laplacian, areas, scale_mm=1.0, length_mm=1.0)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    geometry_map = GeometryMap(lookup)
    mapped = MappedOutput(generator, geometry_map, regulariser, dtype)
    normalisation = Normalisation(torch.zeros(3, *lookup.corners.shape[:2]), 1.0)
    stream = make_stream(kind, size, geometry_map)
    plain = kind is PlainGAN
    step = StepConfig(batch=size["batch"], penalty="double_backward" if plain else "piecewise")
    task = kind(generator, discriminator, mapped, stream, normalisation, LossConfig(), step)
    if isinstance(task, PlainGAN):
        task.use_regulariser(regulariser)
    return task


def make_stream(kind: Callable, size: dict[str, int], geometry_map: GeometryMap) -> Any:
    """Random faces in a fixed order: whole meshes for the plain task, images for the other."""
    rng = seeding.generator(0, "bench faces")
    rows = max(4 * size["batch"], 128)
    meshes = rng.normal(size=(rows, size["vertices"], 3)).astype(np.float32)
    labels = {
        "identity": rng.integers(0, size["identities"], rows),
        "expression": np.where(rng.random(rows) < 0.07, rng.integers(0, 7, rows), -1),
    }
    order = MeshStream(meshes, labels, size["batch"], images=False)
    if kind is PlainGAN:
        return order
    with torch.no_grad():
        parts = [geometry_map(torch.from_numpy(part)) for part in np.array_split(meshes, 8)]
    return MeshStream(torch.cat(parts).numpy(), labels, size["batch"], images=True)


def floor_of_round(size: dict[str, int], precision: str) -> dict[str, float]:
    """Least time a round could take here: operations over rate plus bytes over bandwidth.

    Counted: the output layer's three products and the fused layer's forward one, the
    convolutions of every pass, Adam's seven passes over the weights.
    """
    batch, outputs, hidden = size["batch"], 3 * size["vertices"], 512
    image_outputs = 3 * size["image_size"] ** 2
    generator = 3 * 2 * batch * outputs * hidden
    fused = 3 * 2 * batch * image_outputs * hidden
    trunk, branch = _convolution_operations(size["image_size"])
    # real: trunk and three branches; fake and penalty: trunk and one; forward, backward twice
    discriminator = 3 * batch * (3 * (trunk + 3 * branch) + 3 * (trunk + branch))
    discriminator += 3 * batch * 5 * (trunk + branch)  # penalty: value, gradient, tangent twice
    judge = batch * 2 * (trunk + 3 * branch)
    operations = generator + fused + discriminator + judge
    rate, bandwidth = measured_rate(precision), measured_bandwidth()
    moved = 7 * 4 * outputs * hidden
    return {
        "giga_operations": operations / 1e9,
        "giga_operations_per_second": rate / 1e9,
        "gigabytes": moved / 1e9,
        "gigabytes_per_second": bandwidth / 1e9,
        "total_ms": 1e3 * (operations / rate + moved / bandwidth),
    }


def _convolution_operations(image_size: int) -> tuple[int, int]:
    """Operations per image of the trunk and of one branch, forward."""
    channels, side, counts = (3, 16, 32, 64, 128), image_size, []
    for before, after in itertools.pairwise(channels):
        side //= 2
        counts.append(2 * 9 * before * after * side * side)
    return sum(counts[:2]), sum(counts[2:])


def measured_rate(precision: str) -> float:
    """Operations a second of a large matrix product."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left = torch.randn(2048, 2048).to(dtype)
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        left @ left
        best = min(best, time.perf_counter() - started)
    return 2 * 2048**3 / best


def measured_bandwidth() -> float:
    """Bytes a second read and written by a copy larger than the caches."""
    source = torch.ones(50_000_000)
    target = torch.empty_like(source)
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        target.copy_(source)
        best = min(best, time.perf_counter() - started)
    return 2 * source.numel() * 4 / best
