"""What tests need of the world of the web: packages from npm, a browser. Skips where it is absent.

Packages are installed once into the cache folder of the tests, never into the repository.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from meshgan.errors import InputError
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
        except (subprocess.SubprocessError, OSError, InputError):
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


_DRIVE = """
const puppeteer = require("puppeteer-core");
const [browser_path, flags, url, script, folder] = process.argv.slice(1);
(async () => {
  const browser = await puppeteer.launch({
    executablePath: browser_path, headless: true, args: JSON.parse(flags),
    userDataDir: folder + "/profile", defaultViewport: { width: 900, height: 640 } });
  const problems = [], requests = [];
  try {
    const page = await browser.newPage();
    page.on("pageerror", error => problems.push(String(error)));
    page.on("console", line => { if (line.type() === "error") problems.push(line.text()); });
    page.on("request", asked => {
      const to = asked.url();
      if (!/^(file|data|blob):/.test(to) && !to.startsWith("http://127.0.0.1")) requests.push(to);
    });
    const settle = async () => { await new Promise(done => setTimeout(done, 900)); };
    const shot = async name => {
      await settle(); await page.screenshot({ path: folder + "/" + name + ".png" });
    };
    await page.goto(url, { waitUntil: "load" });
    const Async = Object.getPrototypeOf(async () => {}).constructor;
    const value = await new Async("page", "shot", "settle", script)(page, shot, settle);
    console.log(JSON.stringify({ value, problems, requests }));
  } finally { await browser.close(); }
})().catch(error => { console.error(error); process.exit(1); });
"""


def drive_page(url: str, script: str, folder: Path, packages: Path) -> dict:
    """Open a page in a real browser and use it as a person does.

    Args:
        url: of the page.
        script: JavaScript that has ``page`` (puppeteer), ``shot(name)`` and ``settle()``.
        folder: for the pictures ``name.png``.
        packages: ``npm_package("puppeteer-core")``.

    Returns:
        ``value`` of the script, ``problems`` that the page reported, ``requests`` to elsewhere.
    """
    flags = json.dumps([flag for flag in PICTURE if flag != "--headless"])
    return run_node(_DRIVE, chromium(), flags, url, script, str(folder), packages=packages)
