"""Randomness that can be repeated: a generator per purpose, per sample, per process.

A stream is named by a seed and a path of integers or words: ``generator(0, "identity", 17)`` is
always the same stream, however many others were drawn before it and in whatever batches.
"""

import random
import zlib
from typing import Any

import numpy as np


def _key(part: int | str) -> int:
    return zlib.crc32(part.encode()) if isinstance(part, str) else int(part)


def seed_sequence(seed: int, *path: int | str) -> np.random.SeedSequence:
    """Seed of the stream ``path`` under ``seed``."""
    return np.random.SeedSequence(seed, spawn_key=tuple(_key(part) for part in path))


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """NumPy generator of the stream ``path`` under ``seed``."""
    return np.random.Generator(np.random.PCG64DXSM(seed_sequence(seed, *path)))


def torch_generator(seed: int, *path: int | str, device: str = "cpu"):
    """Torch generator of the stream ``path`` under ``seed``."""
    import torch

    state = seed_sequence(seed, *path).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


def capture_rng() -> dict[str, Any]:
    """State of the global generators (Python, NumPy, torch, CUDA) as tensors and plain values."""
    import torch

    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    state = {
        "python": {"version": version, "words": list(words), "gauss": gauss},
        "numpy": {
            "kind": kind,
            "keys": torch.from_numpy(np.asarray(keys, dtype=np.int64)),
            "position": position,
            "has_gauss": has_gauss,
            "cached": cached,
        },
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_rng(state: dict[str, Any]) -> None:
    """Put back what ``capture_rng`` took."""
    import torch

    python, numpy = state["python"], state["numpy"]
    random.setstate((python["version"], tuple(python["words"]), python["gauss"]))
    keys = numpy["keys"].numpy().astype(np.uint32)
    np.random.set_state(  # noqa: NPY002
        (numpy["kind"], keys, numpy["position"], numpy["has_gauss"], numpy["cached"])
    )
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
