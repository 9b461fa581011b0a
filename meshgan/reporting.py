"""Progress on standard error: a bar on a terminal, a line per ten percent elsewhere."""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")


def progress(
    items: Iterable[Item], title: str, unit: str = "item", total: int | None = None
) -> Iterator[Item]:
    """Pass ``items`` on and tell how far we are; ``total`` defaults to ``len(items)``."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # pyright: ignore[reportArgumentType]
    if sys.stderr.isatty():
        yield from _bar(items, title, unit, total)
    else:
        yield from _lines(items, title, unit, total)


def _bar(items: Iterable[Item], title: str, unit: str, total: int | None) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        for item in items:
            yield item
            bar.advance(task)


def _lines(items: Iterable[Item], title: str, unit: str, total: int | None) -> Iterator[Item]:
    tenth = 0
    for done, item in enumerate(items, start=1):
        yield item
        if total and done * 10 // total > tenth:
            tenth = done * 10 // total
            log.info("%s: %d %% (%d of %d %s)", title, tenth * 10, done, total, unit)
