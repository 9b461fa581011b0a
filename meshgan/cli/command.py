"""What every command shares: its options, and how it is run and its result printed."""

import importlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshgan.errors import InputError, MeshGANError

Summary = dict[str, Any]
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command: fields are its options, calling it does the job.

    A command imports what it needs inside ``__call__``, so that ``--help`` needs no torch, and
    returns a dictionary of plain values. ``{"ok": False}`` in it means: done, but the answer is
    no (exit status 1).
    """

    json: bool = False
    """Print one JSON object on standard output; everything else goes to standard error."""
    threads: int | None = None
    """CPU threads for this run; all cores by default."""

    def __call__(self) -> Summary:
        """Do the job."""
        raise NotImplementedError

    def text(self, summary: Summary) -> str:
        """What a person reads of the summary."""
        return as_text(summary)


def load(reference: str) -> type[Command]:
    """Import the command class named ``module:Class``."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


REPEATABLE = ("--set", "--label")


def gather_repeats(arguments: Sequence[str], option: str) -> list[str]:
    """Turn ``--set a=1 --set b=2`` into ``--set a=1 b=2``, so that no value is lost."""
    kept: list[str] = []
    values: list[str] = []
    inside = first = False  # ``first``: right after the option stands a value, whatever it is
    for argument in arguments:
        if argument == option:
            inside = first = True
            continue
        if argument.startswith(f"{option}="):
            values.append(argument.removeprefix(f"{option}="))
            inside = False
        elif inside and not argument.startswith("-") and (first or "=" in argument):
            values.append(argument)
        else:
            inside = False
            kept.append(argument)
        first = False
    return [*kept, option, *values] if values else kept


def labels_of(options: Sequence[str], option: str = "--label") -> dict[str, str]:
    """``--label factor=label`` (or another option of this form) as given, by factor.

    Raises:
        InputError: one is not of this form.
    """
    parts = [text.partition("=") for text in options]
    labels = {factor: label for factor, _, label in parts}
    if not all(labels) or not all(labels.values()):
        raise InputError(f"{option}: expected factor=label, for example expression=happiness")
    return labels


def run(command: Command) -> int:
    """Run a parsed command, print its summary, and give the exit status."""
    level = logging.ERROR if _is_follower() else logging.INFO
    logging.basicConfig(stream=sys.stderr, level=level, format="%(message)s", force=True)
    warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")  # torch: still in beta
    for noisy in ("matplotlib", "trimesh", "PIL", "fabric"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="Sparse (CSR tensor|invariant)")  # known, harmless
    if command.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(command.threads)
    try:
        _set_threads(command.threads)
        summary = command()
    except MeshGANError as error:
        return _fail(str(error), BAD_INPUT if isinstance(error, InputError) else FAILED, command)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing is half-written", INTERRUPTED, command)
    except OSError as error:
        return _fail(_of_system(error), FAILED, command)
    status = FAILED if summary.get("ok") is False else DONE
    if _is_follower():
        return status
    if command.json:
        sys.stdout.write(json.dumps(summary, default=str) + "\n")
    else:
        sys.stdout.write(command.text(summary) + "\n")
    return status


def _is_follower() -> bool:
    """Whether this is one of the further processes of ``--devices``: the first one speaks."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; check the path, the permissions and the free space"


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise InputError(f"--threads: {threads} is not a number of threads; give 1 or more")
    import torch

    torch.set_num_threads(threads)


def _fail(message: str, status: int, command: Command) -> int:
    if _is_follower():
        return status
    sys.stderr.write(f"meshgan: {message}\n")
    if command.json:
        sys.stdout.write(json.dumps({"error": message, "status": status}) + "\n")
    return status


def as_text(summary: Summary, indent: int = 0) -> str:
    """A summary as aligned lines, nested dictionaries indented, long lists shortened."""
    width = max((len(str(key)) for key in summary), default=0)
    lines = []
    for key, value in summary.items():
        name = " " * indent + str(key).replace("_", " ").ljust(width)
        if isinstance(value, dict) and value:
            lines.append(name.rstrip())
            lines.append(as_text(value, indent + 2))
        elif isinstance(value, list | tuple) and len(value) > 4:
            lines.append(f"{name}  {len(value)}, first {_plain(value[0])}")
        elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
            lines.append(name.rstrip())
            lines += [" " * (indent + 2) + _plain(item) for item in value]
        elif isinstance(value, list | tuple):
            lines.append(f"{name}  {', '.join(_plain(item) for item in value)}")
        else:
            lines.append(f"{name}  {_plain(value)}")
    return "\n".join(lines)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(
            f"{str(key).replace('_', ' ')} {_plain(one)}" for key, one in value.items()
        )
    return str(value)
