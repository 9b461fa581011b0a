"""What the documentation says can be typed: commands parse, Python compiles, names exist."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from meshgan.cli.command import Command
from meshgan.cli.main import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACEHOLDERS = re.compile(r"[<>]|\.\.\.|\bDIR\b|\bFILE\b|\bNAME\b")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def commands() -> list[tuple[str, str]]:
    """Every line of a shell block that starts with ``meshgan``, continued lines joined."""
    found = []
    for page in PAGES:
        for block in blocks(page, "(?:sh|bash|console)"):
            for line in block.replace("\\\n", " ").splitlines():
                text = line.strip().removeprefix("$ ")
                if text.startswith("meshgan "):
                    found.append((str(page.relative_to(ROOT)), " ".join(text.split())))
    return found


def test_there_is_something_to_check():
    assert len(commands()) > 10


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_parse(page, line):
    words = shlex.split(line, comments=True)
    assert not any(PLACEHOLDERS.search(word) for word in words), f"{page}: a placeholder"
    assert isinstance(parse(words[1:]), Command)


TRAININGS = [line for _, line in commands() if line.startswith("meshgan train ")]


@pytest.mark.parametrize("line", TRAININGS)
def test_settings_in_the_pages_exist(line):
    from meshgan.apps.run_config import read_config

    command = parse(shlex.split(line, comments=True)[1:])
    read_config(command.preset, None, command.set)


@pytest.mark.parametrize(
    ("page", "code"),
    [(str(page.relative_to(ROOT)), code) for page in PAGES for code in blocks(page, "python")],
)
def test_python_compiles_and_its_imports_work(page, code):
    tree = ast.parse(code, page)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{page}: {node.module}.{name.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists() or "results/" in target, f"{page}: {target}"


def test_documented_objects_exist():
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    for name in re.findall(r"auto(?:class|function):: (\S+)", text):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
