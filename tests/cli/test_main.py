"""The command line's frame: light, exact about exit statuses, one JSON object on stdout."""

import json
import subprocess
import sys
from dataclasses import dataclass, fields
from typing import Any

import pytest

from meshgan.cli import command as frame
from meshgan.cli.command import Command, as_text, gather_repeats, load, run
from meshgan.cli.main import COMMANDS, parse
from meshgan.errors import InputError, JobError

HEAVY = ("torch", "numpy", "scipy", "trimesh", "matplotlib", "igl", "anny", "PIL")
ALL = [
    f"{group} {name}".strip()
    for group, entry in COMMANDS.items()
    for name in (entry if isinstance(entry, dict) else [""])
]


def loaded_after(code: str) -> set[str]:
    """Heavy packages that a fresh Python has loaded after ``code``."""
    code += f"\nimport sys; print(*(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_import_is_light():
    assert loaded_after("import meshgan") == set()
    assert "torch" in loaded_after("import meshgan; meshgan.GeometryMap")  # the check can fail


def test_help_and_parsing_are_light():
    """``--help`` of every command, and a parsed command that is not run, load nothing heavy."""
    code = "from meshgan.cli.main import parse\n"
    for words in (*ALL, "", "data"):
        code += f"try:\n    parse({[*words.split(), '--help']!r})\nexcept SystemExit:\n    pass\n"
    code += "parse(['train', '--data', 'd', '--out', 'r', '--set', 'a=1'])"
    assert loaded_after(code) == set()


@pytest.mark.parametrize("words", ALL)
def test_help_shows_an_example_and_every_option(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse([*words.split(), "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert f"meshgan {words}" in shown
    assert f"Example: meshgan {words}" in " ".join(shown.split())
    assert "--json" in shown
    assert "--threads" in shown


def test_help_without_a_command_lists_all(capsys):
    for words in ([], ["--help"]):
        with pytest.raises(SystemExit) as stopped:
            parse(words)
        assert stopped.value.code == 0
        shown = capsys.readouterr().out
        assert all(name in shown for name in COMMANDS)
        assert "Start with: meshgan demo" in shown


def test_a_run_may_be_left_out():
    command = parse(["sample", "--count", "16"])
    assert (command.run, command.count, str(command.out)) == (None, 16, "samples")


@pytest.mark.parametrize(
    "words",
    [
        ["nosuch"],
        ["data", "nosuch"],
        ["train", "--nosuch", "1"],
        ["sample", "run", "--count", "many", "--out", "x"],
        ["fit", "run"],
        ["bench", "cooking"],
        ["data", "build", "--out", "x", "--count", "3", "--source", "photos"],
    ],
)
def test_bad_usage_exits_with_two(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(words)
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err


def test_every_option_is_explained():
    """Every field of every command but ``seed`` has a docstring of its own in the help."""
    import inspect

    for words in ALL:
        entry = COMMANDS
        for word in words.split():
            entry = entry[word]
        kind = load(entry)
        source = inspect.getsource(kind)
        for field in fields(kind):
            if field.name in kind.__annotations__ and field.name not in {"seed", "count"}:
                after = source.split(f"    {field.name}: ", 1)[1].split("\n", 2)
                assert after[1].strip().startswith('"""'), f"{words} --{field.name}"


# ---- repeated options


def test_repeated_options_lose_nothing():
    command = parse(
        ["train", "--set", "a=1", "b=2", "--out", "r", "--set", "c=3", "--set=d=x=y", "--data", "d"]
    )
    assert command.set == ("a=1", "b=2", "c=3", "d=x=y")
    assert (str(command.out), str(command.data)) == ("r", "d")
    command = parse(["sample", "r", "--label", "a=b", "--out", "o", "--label", "c=d"])
    assert command.label == ("a=b", "c=d")


def test_gather_leaves_other_words_alone():
    words = ["run", "--json", "--out", "a=b"]
    assert gather_repeats(words, "--set") == words
    assert gather_repeats(["--set", "a=-1", "--json"], "--set") == ["--json", "--set", "a=-1"]


# ---- running


@dataclass(frozen=True, kw_only=True)
class Job(Command):
    outcome: Any = None

    def __call__(self):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ({"ok": True}, 0),
        ({}, 0),
        ({"ok": False}, 1),
        (JobError("disk full"), 1),
        (PermissionError(13, "Permission denied", "/out"), 1),
        (InputError("no such file"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_status_and_one_object(outcome, status, as_json, capsys):
    assert run(Job(outcome=outcome, json=as_json)) == status
    printed = capsys.readouterr()
    if as_json:
        answer = json.loads(printed.out)
        assert printed.out.count("\n") == 1
    if isinstance(outcome, dict):
        assert printed.err == ""
        assert not as_json or answer == outcome
    else:
        assert printed.err.startswith("meshgan: ")
        assert printed.err.count("\n") == 1  # one line, no traceback
        assert answer["status"] == status if as_json else printed.out == ""


def test_the_message_of_the_system_names_the_path(capsys):
    assert run(Job(outcome=OSError(28, "No space left on device", "/out/a.npz"))) == 1
    assert "/out/a.npz: No space left on device" in capsys.readouterr().err


def test_our_own_mistakes_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run(Job(outcome=ZeroDivisionError()))


def test_further_processes_are_silent(monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert run(Job(outcome={"a": 1}, json=True)) == 0
    assert run(Job(outcome=InputError("bad"), json=True)) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_threads(capsys):
    import torch

    assert run(Job(outcome={}, threads=1)) == 0
    assert torch.get_num_threads() == 1
    assert run(Job(outcome={}, threads=0)) == 2
    assert "give 1 or more" in capsys.readouterr().err
    assert frame.DONE == 0


def test_text_is_aligned_and_short():
    text = as_text(
        {"meshes": 12345, "ok": True, "rate": 0.123456, "labels": {"a": 1}, "files": list("abcdef")}
    )
    assert text.splitlines() == [
        "meshes  12,345",
        "ok      yes",
        "rate    0.1235",
        "labels",
        "  a  1",
        "files   6, first a",
    ]
    rows = [{"input": "a.pts", "rms_mm": 0.90465}, {"input": "b.pts", "rms_mm": 1.5}]
    assert as_text({"fits": rows}).splitlines() == [
        "fits",
        "  input a.pts, rms mm 0.9046",
        "  input b.pts, rms mm 1.5",
    ]
