"""The ``meshgan`` command: finds the command by its words, parses it, runs it."""

import sys
from collections.abc import Sequence

import tyro

from meshgan.cli.command import REPEATABLE, Command, gather_repeats, load, run

COMMANDS: dict[str, str | dict[str, str]] = {
    "demo": "meshgan.cli.demo:Demo",
    "doctor": "meshgan.cli.doctor:Doctor",
    "data": {
        "build": "meshgan.cli.data:Build",
        "import": "meshgan.cli.data:Import",
        "join": "meshgan.cli.data:Join",
        "info": "meshgan.cli.data:Info",
        "validate": "meshgan.cli.data:Validate",
        "split": "meshgan.cli.data:Split",
        "align": "meshgan.cli.align:Align",
    },
    "landmarks": {
        "check": "meshgan.cli.landmarks:Check",
        "carry": "meshgan.cli.landmarks:Carry",
    },
    "template": {
        "show": "meshgan.cli.template:Show",
        "build": "meshgan.cli.template:Build",
    },
    "uv": "meshgan.cli.uv:UV",
    "register": "meshgan.cli.register:Register",
    "train": "meshgan.cli.train:Train",
    "sample": "meshgan.cli.sample:Sample",
    "transfer": "meshgan.cli.transfer:Transfer",
    "interpolate": "meshgan.cli.interpolate:Interpolate",
    "speak": "meshgan.cli.speak:Speak",
    "export": "meshgan.cli.export:Export",
    "fit": "meshgan.cli.fit:Fit",
    "arkit": {
        "weights": "meshgan.cli.arkit:Weights",
        "drive": "meshgan.cli.arkit:Drive",
    },
    "view": "meshgan.cli.view:View",
    "baseline": "meshgan.cli.compare:Baseline",
    "evaluate": "meshgan.cli.evaluate:Evaluate",
    "compare": "meshgan.cli.compare:Compare",
    "report": "meshgan.cli.report:Report",
    "bench": "meshgan.cli.bench:Bench",
}
ABOUT = """3D face modelling on meshes: data, geometry images, decoupled adversarial models.

Start with: meshgan demo

Every command takes --help, --json and --threads. Lengths are millimetres, angles degrees.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``meshgan`` command; exits with 0, 1 (job failed) or 2 (bad input)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(parse(words)))


def parse(words: Sequence[str]) -> Command:
    """The command that ``words`` ask for; exits with help or a usage error like any parser."""
    name, entry, rest = "meshgan", COMMANDS, list(words)
    while isinstance(entry, dict) and rest and rest[0] in entry:
        word = rest.pop(0)
        name, entry = f"{name} {word}", entry[word]  # pyright: ignore[reportAssignmentType]
    if isinstance(entry, dict):
        return _choose(name, entry, rest)
    for option in REPEATABLE:
        rest = gather_repeats(rest, option)
    return tyro.cli(
        load(entry),
        prog=name,
        args=rest,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _choose(name: str, table: dict[str, str] | dict, rest: list[str]) -> Command:
    """Let the parser print the list of commands below ``name``, or refuse an unknown one."""
    commands = {
        key: load(value) if isinstance(value, str) else _group(key, value)
        for key, value in table.items()
    }
    return tyro.extras.subcommand_cli_from_dict(
        commands,
        prog=name,
        description=ABOUT if name == "meshgan" else None,
        args=rest or ["--help"],
    )


def _group(name: str, table: dict[str, str]) -> type[Command]:
    summary = f"{', '.join(table)}: see meshgan {name} --help"
    return type(name.title(), (Command,), {"__doc__": summary, "__annotations__": {}})
