"""Whether Open3D can draw on this machine: asked in another process, for it may be killed."""

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("open3d", "open3d-cpu")
LIBRARIES = ("libgl1", "libegl1", "libusb-1.0-0", "libvulkan1", "mesa-vulkan-drivers")
INSTALL_LIBRARIES = f"apt-get install -y --no-install-recommends {' '.join(LIBRARIES)}"
INSTALL_PACKAGE = "pip install 'meshgan[viewer]'"
TRIAL_S = 120
_IMPORT = "import open3d"
_DRAW = """
from open3d.visualization import rendering
rendering.OffscreenRenderer(16, 16).render_to_image()
"""


def import_problem() -> str | None:
    """Why ``import open3d`` fails, and the one command that helps; None where it works."""
    if importlib.util.find_spec("open3d") is None:
        return f"open3d is not installed; run: {INSTALL_PACKAGE}"
    return _problem(_IMPORT)


def offscreen_problem() -> str | None:
    """Why Open3D cannot draw here, and the one command that helps; None where it can.

    Without a Vulkan driver Open3D ends its process from C++, which no caller can catch.
    """
    return import_problem() or _problem(_DRAW)


def display_problem() -> str | None:
    """Why no window can open here; None where there is a screen to open it on."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    return "there is no screen (DISPLAY is not set); use --screenshot FILE, or xvfb-run"


def installed_version() -> str:
    """Name and version of the package that holds open3d: there are two, with one content."""
    for name in PACKAGES:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "of unknown version"


def _problem(code: str) -> str | None:
    try:
        trial = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=TRIAL_S,
        )
    except subprocess.TimeoutExpired:
        return f"open3d did not answer within {TRIAL_S} s; try: {INSTALL_LIBRARIES}"
    if trial.returncode == 0:
        return None
    lines = [line for line in trial.stderr.strip().splitlines() if "rror" in line]
    if lines:
        reason = lines[-1].strip()
    elif trial.returncode < 0:
        reason = "open3d ends its process, as it does without a Vulkan driver"
    else:
        reason = f"open3d fails with exit status {trial.returncode}"
    return f"{reason}; run: {INSTALL_LIBRARIES}"
