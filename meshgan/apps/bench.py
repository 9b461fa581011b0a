"""Benchmarks by name."""

import importlib
from pathlib import Path
from typing import Any

from meshgan.errors import InputError

NAMES = (
    "train",
    "geometry",
    "uv",
    "specificity",
    "io",
    "register",
    "render",
    "view",
    "sample",
    "fit",
)


def run_benchmark(
    name: str,
    rounds: int,
    small: bool,
    precision: str = "32",
    size: str = "quick",
    faces: Path | None = None,
) -> dict[str, Any]:
    """Run one benchmark: ms, plain_ms, ratio and what was measured.

    Raises:
        InputError: there is no such benchmark, or fewer than one round.
    """
    if name not in NAMES:
        raise InputError(f"bench {name}: expected one of {', '.join(NAMES)}")
    if rounds < 1:
        raise InputError(f"--rounds {rounds}: expected 1 or more")
    module = importlib.import_module(f"meshgan.apps.benchmarks.{name}")
    options: dict[str, dict[str, Any]] = {
        "train": {"precision": precision},
        "specificity": {"size": size},
        "register": {"faces": faces},
    }
    return {"bench": name, **module.run(rounds=rounds, small=small, **options.get(name, {}))}
