"""``bench sample``: random faces at the paper's size, beside the matrix rate of the machine."""

from typing import Any

import numpy as np
import torch

from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate, seconds_of
from meshgan.apps.benchmarks.train import measured_rate
from meshgan.apps.face_model import FaceModel
from meshgan.data.template import Template
from meshgan.models.generator import DecoupledGenerator
from meshgan.training.tasks.decoupled_gan_config import ModelConfig

PAPER_SIZE, SMALL_SIZE = (22_129, 1024), (300, 32)  # vertices, faces
PLAIN_BATCH = 64
RMS_MM = 5.0  # of the displacements, as that of the default faces: what the error is relative to


def run(rounds: int = 7, small: bool = False) -> dict[str, Any]:
    """Time drawing codes and decoding them, ours and plain in turn, then ours in bfloat16.

    Plain is what one would write: the model as the paper gives it, 64 faces at a time, put
    together at the end. The matrix rate is measured between the rounds, since it changes with
    what else the machine does.

    Returns:
        ms, plain_ms, ratio; ``rate_share``: operations of the model's products a second over
        those of the best large matrix product (median over the rounds), and ``fresh_share`` where
        the faces go to memory that was never touched; ``bf16``: its ms, ratio to our float32,
        and its error in mm.
    """
    vertices, faces = SMALL_SIZE if small else PAPER_SIZE
    model = face_model(vertices)
    assert isinstance(model.model, DecoupledGenerator)
    made = model.decode(model.codes(faces))
    low = torch.empty_like(made)
    operations = 2 * faces * sum(layer.weight.numel() for layer in _layers(model.model))
    timing = alternate(
        lambda: model.decode(model.codes(faces), made), lambda: plain_faces(model, faces), rounds
    )
    shares, fresh_shares = [], []
    for _ in range(rounds):
        possible = operations / measured_rate("32")
        shares.append(possible / seconds_of(lambda: model.decode(model.codes(faces), made)))
        fresh_shares.append(possible / seconds_of(lambda: model.decode(model.codes(faces))))
    low_timing = alternate(
        lambda: model.decode(model.codes(faces), low, "bf16"),
        lambda: model.decode(model.codes(faces), made),
        rounds,
    )
    error = (low - made).norm(dim=2)
    return {
        "what": f"{faces:,} random faces of {vertices:,} vertices, beside batches of "
        f"{PLAIN_BATCH} put together",
        "threads": torch.get_num_threads(),
        **timing.as_dict(),
        "faces_per_second": 1e3 * faces / timing.ms,
        "giga_operations": operations / 1e9,
        "giga_operations_per_second": measured_rate("32") / 1e9,
        "rate_share": float(np.median(shares)),
        "fresh_share": float(np.median(fresh_shares)),
        "bf16": {
            "ms": low_timing.ms,
            "ratio": low_timing.ratio,
            "mean_error_mm": float(error.mean()),
            "largest_error_mm": float(error.max()),
        },
    }


def face_model(vertices: int) -> FaceModel:
    """A model with the paper's layers and random weights; displacements as large as on faces."""
    mesh = delaunay_disk(vertices)
    torch.manual_seed(0)
    model = DecoupledGenerator(
        torch.from_numpy(mesh.vertices),
        torch.from_numpy(mesh.faces),
        {name: ("one", "other") for name in ModelConfig().codes},
        ModelConfig().code_sizes,
    ).requires_grad_(False)
    faces = model(model.sample_codes(32, torch.Generator().manual_seed(0)))
    model.scale.fill_(RMS_MM / float(faces.square().sum(dim=2).mean().sqrt()))
    return FaceModel(model, Template("disk", mesh))


def plain_faces(model: FaceModel, count: int) -> torch.Tensor:
    """The same faces as one would write it down."""
    net, codes = model.model, model.codes(count)
    assert isinstance(net, DecoupledGenerator)
    parts = []
    for start in range(0, count, PLAIN_BATCH):
        some = {name: code[start : start + PLAIN_BATCH] for name, code in codes.items()}
        parts.append(net.template_vertices + net.scale * net(some))
    return torch.cat(parts)


def _layers(model: DecoupledGenerator) -> tuple[torch.nn.Linear, torch.nn.Linear]:
    return model.hidden, model.output
