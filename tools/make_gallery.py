"""Draw the pictures of docs/gallery.md anew: runs the page's commands and keeps what it shows.

Run by ``make gallery``. A picture ``results/gallery/a-b.png`` of the page is the file ``a/b.png``
or ``a-b.png`` that the commands above it wrote.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURES = DOCS / "gallery.md", DOCS / "results" / "gallery"
LINK = re.compile(r"\]\(results/gallery/(\S+?\.png)\)")
WIDTH, COLOURS = 1600, 255  # a page needs no more


def main() -> None:
    """Run every command in order in a folder of its own, then take the pictures."""
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^meshgan (?!view)(.*)$", text, re.M)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            print("meshgan", command)
            words = [sys.executable, "-m", "meshgan", *shlex.split(command)]
            subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for name in LINK.findall(text):
            keep(Path(folder), name)


def keep(folder: Path, name: str) -> None:
    """Copy one picture, no wider than a page and with few colours."""
    made = folder / name if (folder / name).exists() else folder / name.replace("-", "/", 1)
    picture = Image.open(made).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)))
    small = made.with_suffix(".small.png")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(small, optimize=True)
    shutil.copyfile(small, PICTURES / name)


if __name__ == "__main__":
    main()
