"""What this machine has for meshgan, and the one command that adds what it lacks."""

import importlib.util
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from meshgan.apps.open3d_probe import (
    display_problem,
    import_problem,
    installed_version,
    offscreen_problem,
)

REQUIRED = ("numpy", "scipy", "torch", "lightning-fabric", "libigl", "trimesh", "anny")


def examine() -> dict[str, Any]:
    """Check packages, devices, optional extras and the cache folder.

    Returns:
        ``ok``: all that the main job needs is here. ``checks``: per subject a state
        (``ok``, ``missing``, ``optional``) and a line that says what was found or what to run.
    """
    checks = {
        "python": _python(),
        **{name: _package(name) for name in REQUIRED},
        "processor": _processor(),
        "gpu": _gpu(),
        "cache": _cache(),
        "open3d": _open3d(),
        "open3d_drawing": _open3d_drawing(),
        "pytorch3d": _pytorch3d(),
    }
    return {"ok": all(check["state"] != "missing" for check in checks.values()), "checks": checks}


def _check(state: str, found: str) -> dict[str, str]:
    return {"state": state, "found": found}


def _python() -> dict[str, str]:
    return _check("ok", platform.python_version())


def _package(name: str) -> dict[str, str]:
    try:
        return _check("ok", version(name))
    except PackageNotFoundError:
        return _check("missing", f"not installed; run: pip install {name}")


def _processor() -> dict[str, str]:
    import torch

    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    capability = torch.backends.cpu.get_cpu_capability()
    return _check("ok", f"{count} cores, {capability}, {torch.get_num_threads()} torch threads")


def _gpu() -> dict[str, str]:
    import torch

    if torch.cuda.is_available():
        return _check("ok", torch.cuda.get_device_name(0))
    if shutil.which("nvidia-smi"):
        return _check(
            "optional",
            "an NVIDIA driver is here but this torch has no CUDA; "
            "install the CUDA build of torch to use it",
        )
    return _check("optional", "none; everything works on the CPU")


def _cache() -> dict[str, str]:
    from meshgan.files import cache_folder

    folder = cache_folder()
    existing = next(part for part in (folder, *folder.parents) if part.exists())
    if not os.access(existing, os.W_OK):
        return _check("missing", f"{folder} cannot be written; set MESHGAN_CACHE to a folder")
    free = shutil.disk_usage(existing).free / 2**30
    return _check("ok", f"{folder} ({free:.0f} GiB free)")


def _open3d() -> dict[str, str]:
    problem = import_problem()
    if problem:
        return _check("optional", f"viewer only: {problem}")
    return _check("ok", installed_version())


def _open3d_drawing() -> dict[str, str]:
    problem = offscreen_problem()
    if problem:
        return _check("optional", f"no Open3D window or picture: {problem}")
    return _check("ok", display_problem() or "pictures and windows")


def _pytorch3d() -> dict[str, str]:
    if importlib.util.find_spec("pytorch3d") is None:
        return _check("optional", "not installed (parity tests only; nothing here needs it)")
    return _check("ok", version("pytorch3d"))
