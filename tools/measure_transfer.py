"""Measure transfers by several runs: ``python tools/measure_transfer.py RUN... --out FILE``.

Writes the numbers as JSON, with the command that made them and where it ran.
"""

import argparse
import logging
import platform
import sys
from pathlib import Path

from meshgan.apps.transfer_table import transfer_table
from meshgan.files import write_json


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--contacts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    found = transfer_table(options.runs, options.cases, options.contacts, options.seed)
    named = {"cases": options.cases, "contacts": options.contacts, "seed": options.seed}
    words = [run.name for run in options.runs]
    words += [f"--{name} {value}" for name, value in named.items()]
    write_json(
        options.out,
        {
            "command": f"python tools/measure_transfer.py {' '.join(words)}",
            "machine": platform.machine(),
            "python": ".".join(map(str, sys.version_info[:3])),
            **found,
        },
    )


if __name__ == "__main__":
    main()
