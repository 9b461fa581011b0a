"""What tests need of the world of the web: packages from npm, a browser. Skips where it is absent.

Packages are installed once into the cache folder of the tests, never into the repository.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from meshgan.files import atomic_folder, cache_folder

PACKAGES = {"three": "0.187.0", "gltf-validator": "2.0.0-dev.3.10", "puppeteer-core": "24.43.1"}
SECONDS = 120
PICTURE = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
)
"""Chromium without a screen, drawing WebGL on the CPU."""


def chromium() -> str:
    """The system's Chromium or Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium here; install it (Debian: apt-get install chromium)")


def node() -> str:
    """The system's Node.js."""
    return shutil.which("node") or pytest.skip("no Node.js here (Debian: apt-get install nodejs)")


def npm_package(name: str) -> Path:
    """The folder of one of ``PACKAGES``, installed with npm on first use."""
    folder = cache_folder() / f"npm-{name}-{PACKAGES[name]}"
    if not folder.exists():
        npm = shutil.which("npm") or pytest.skip("no npm here (Debian: apt-get install npm)")
        command = [npm, "install", "--no-audit", "--no-fund", f"{name}@{PACKAGES[name]}"]
        try:
            with atomic_folder(folder) as new:
                (new / "package.json").write_text("{}")
                subprocess.run(command, cwd=new, check=True, capture_output=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError):
            if not folder.exists():  # another worker may have been first
                pytest.skip(f"npm cannot install {name}: no network, or no such version")
    return folder / "node_modules"


def run_node(script: str, *arguments: str, packages: Path) -> object:
    """Run a script that prints one JSON value; it can require the packages."""
    done = subprocess.run(
        [node(), "-e", script, "--", *arguments],
        env={**os.environ, "NODE_PATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
