"""Measure automatic starts and a sequence: ``python tools/measure_registration.py --out FILE``.

Writes the numbers as JSON, with the command and the versions that made them. With ``--journal`` a
run that was broken off goes on with the same command.
"""

import argparse
import logging
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from meshgan.apps.benchmarks.register_faces import open_faces
from meshgan.apps.benchmarks.registration_sequences import TalkingPerson, measure_sequence
from meshgan.apps.benchmarks.registration_starts import measure_starts
from meshgan.files import read_json, write_json


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100, help="0: leave the starts out")
    parser.add_argument("--frames", type=int, default=121, help="0: leave the sequence out")
    parser.add_argument("--ict", type=Path, help="ICT-FaceKit's files: its faces take turns")
    parser.add_argument("--journal", type=Path, help="a line per case, to go on after a break")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    ict = " --ict FILE" if options.ict else ""
    command = f"python tools/measure_registration.py{ict}"
    found = {"command": command, "machine": platform.machine(), "cores": os.cpu_count()}
    about = {"commit": commit.stdout.strip(), "python": ".".join(map(str, sys.version_info[:3]))}
    parts = read_json(options.out) if options.out.exists() else {}
    program = "python tools/measure_registration.py"
    if options.cases:
        sources = [open_faces(None), *([open_faces(options.ict)] if options.ict else [])]
        starts = measure_starts(sources, options.cases, options.journal)
        words = f"{program} --cases {options.cases} --frames 0{ict}"
        parts["starts"] = {"command": words, **about, **starts}
        write_json(options.out, {**found, **parts})
    if options.frames:
        began = time.perf_counter()
        sequence = measure_sequence(TalkingPerson(options.frames))
        words = f"{program} --cases 0 --frames {options.frames}"
        seconds = round(time.perf_counter() - began, 1)
        parts["sequence"] = {"command": words, **about, **sequence, "seconds": seconds}
        write_json(options.out, {**found, **parts})


if __name__ == "__main__":
    main()
