"""Tutorials do what they say: every command and every line of Python of a page runs, in order.

A page is a tutorial if it has a comment ``<!-- tested with`` that says how its sizes are made small
for the test, one ``what the page says -> what the test does`` a line. A replacement that is not
found in the page is a mistake.
"""

import re
import shlex
from pathlib import Path

import pytest

from meshgan.cli.command import run
from meshgan.cli.main import parse

DOCS = Path(__file__).parents[1] / "docs"
COMMENT = re.compile(r"<!-- tested with\n(.*?)-->", re.S)
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.M | re.S)
TUTORIALS = [
    page for page in sorted(DOCS.rglob("*.md")) if COMMENT.search(page.read_text(encoding="utf-8"))
]


def steps(page: Path) -> list[tuple[str, str]]:
    """Commands (words of one line) and Python blocks of a page, made small."""
    text = page.read_text(encoding="utf-8")
    replacements = [
        line.split(" -> ") for line in COMMENT.search(text).group(1).splitlines() if line.strip()
    ]
    body = COMMENT.sub("", text)
    unused = [old for old, _ in replacements if old not in body]
    assert not unused, f"{page.name}: replaced in the test, but not in the page: {unused}"
    for old, new in replacements:
        body = body.replace(old, new)
    found = []
    for language, block in BLOCK.findall(body):
        if language == "python":
            found.append(("python", block))
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip().startswith("meshgan "):
                found.append(("command", line.strip()))
    return found


def test_the_tutorials_are_there():
    names = {"quickstart", "own_data", "new_factor", "evaluate", "fit", "transfer"}
    assert names <= {p.stem for p in TUTORIALS}


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    for kind, text in steps(page):
        if kind == "python":
            exec(compile(text, str(page), "exec"), names)
        else:
            words = shlex.split(text, comments=True)[1:]
            assert run(parse(words)) == 0, f"{page.name}: {text}\n{capsys.readouterr().err}"
