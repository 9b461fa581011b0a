"""The README's numbers are those of docs/results, and nothing else."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_readme_shows_the_results():
    tool = runpy.run_path(str(ROOT / "tools" / "make_results.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition(tool["BEGIN"])[2].partition(tool["END"])[0].strip()
    assert shown == tool["render"]()


def test_every_result_names_its_command():
    tool = runpy.run_path(str(ROOT / "tools" / "make_results.py"))
    for path in (ROOT / "docs" / "results").glob("*.json"):
        assert tool["read"](path.stem)["command"].startswith("meshgan ")
