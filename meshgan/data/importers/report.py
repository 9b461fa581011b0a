"""What an import found, took and left, with the reasons: ``import.json`` and its table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from meshgan.data.importers.catalogue import Catalogue, Skipped
from meshgan.files import write_json

REPORT_NAME = "import.json"
_SHOWN_SUBJECTS, _SHOWN_FILES = 12, 10


@dataclass(frozen=True, eq=False)
class ImportReport:
    """The outcome of an import.

    Args:
        format: word of the source.
        found: faces that the source lists.
        imported: faces that are in the data set now.
        skipped: the others, in the source's order.
        subjects: name -> imported faces; everyone listed, also with 0.
        labels: factor -> label name -> imported faces; unlabelled ones do not count.
        conversion: unit, factor, axis map.
        messages: what the user should know.
    """

    format: str
    found: int
    imported: int
    skipped: tuple[Skipped, ...]
    subjects: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    conversion: Mapping[str, Any]
    messages: tuple[str, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self)
        values["skipped"] = [asdict(entry) for entry in self.skipped]
        values["messages"] = list(self.messages)
        return values

    def write(self, folder: Path) -> Path:
        """Write ``import.json`` into the DATA folder, whole or not at all."""
        write_json(folder / REPORT_NAME, self.as_values())
        return folder / REPORT_NAME

    def table(self) -> str:
        """A few aligned lines for a person: totals, reasons, subjects, labels."""
        lines = [
            f"{self.format}: {self.found:,} found, {self.imported:,} imported, "
            f"{len(self.skipped):,} skipped"
        ]
        lines += [f"  note: {message}" for message in self.messages]
        lines += _columns(
            "skipped", [(entry.where, entry.reason) for entry in self.skipped], _SHOWN_FILES
        )
        lines += _columns("subject", list(self.subjects.items()), _SHOWN_SUBJECTS)
        for factor, counts in self.labels.items():
            if factor != "identity":
                lines += _columns(factor, list(counts.items()), _SHOWN_SUBJECTS)
        return "\n".join(lines)


def make_report(
    word: str,
    listed: Catalogue,
    imported: Sequence[str],
    skipped: Sequence[Skipped],
    conversion: Mapping[str, Any],
    messages: Sequence[str],
) -> ImportReport:
    """Count what became of a catalogue.

    Args:
        word: format.
        listed: what the source lists.
        imported: ``where`` of the faces that are in the data set.
        skipped: all others, refused ones included.
        conversion: as the provenance has it.
        messages: for the user.
    """
    taken = set(imported)
    items = [item for item in listed.items if item.where in taken]
    people = Counter(item.subject for item in items)
    labels = {
        factor: Counter(item.labels[factor] for item in items if factor in item.labels)
        for factor in listed.factors
        if factor != "identity"
    }
    return ImportReport(
        format=word,
        found=listed.found,
        imported=len(items),
        skipped=tuple(skipped),
        subjects={name: people[name] for name in listed.subjects},
        labels={
            factor: {name: counts[name] for name in listed.factors[factor]}
            for factor, counts in labels.items()
        },
        conversion=dict(conversion),
        messages=tuple(messages),
    )


def _columns(title: str, rows: Sequence[tuple[str, object]], shown: int) -> list[str]:
    if not rows:
        return []
    some = rows[:shown]
    width = max(len(str(name)) for name, _ in some)
    lines = [f"  {title}"]
    for name, value in some:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        lines.append(f"    {name:<{width}}  {text}")
    if len(rows) > shown:
        lines.append(f"    ... and {len(rows) - shown:,} more, see {REPORT_NAME}")
    return lines
