"""The README's numbers are those of docs/results, and nothing else."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_readme_shows_the_results():
    tool = runpy.run_path(str(ROOT / "tools" / "make_results.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition(tool["BEGIN"])[2].partition(tool["END"])[0].strip()
    assert shown == tool["render"]()


def test_results_that_take_long_are_rendered_once_they_are_there(tmp_path, monkeypatch):
    """Two benchmarks, one of many images at once, and a comparison with an ablation."""
    tool = runpy.run_path(str(ROOT / "tools" / "make_results.py"))
    for path in (ROOT / "docs" / "results").glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setitem(tool["render"].__globals__, "RESULTS", tmp_path)
    bench = {"ratio": 136.2, "ms": 58_000.0, "plain_ms": 7.9e6}
    tool["write"]("specificity_paper", {"command": "meshgan bench specificity", **bench})
    images = {"ms_per_image": 3.04, "plain_ms_per_image": 12.6}
    tool["write"]("render", {"command": "meshgan bench render", **bench, **images})
    compared = tool["read"]("compare")
    row = {**compared["rows"][0], "name": "without_regulariser", "title": "rough"}
    row["ratios"] = {"laplacian_residual": 2.5}
    tool["write"]("compare", {**compared, "rows": [*compared["rows"], row]})
    text = tool["render"]()
    assert "| 136.2 | 58,000 | 7,900,000 |" in text
    assert "| 136.2 | 3.0 | 13 |" in text
    (line,) = [line for line in text.splitlines() if "rough |" in line and "2.50 |" in line]
    assert line.count("|") == 11
    assert "| (the paper) | 99.6 | 99.1 | 0.29 | 0.20 | 0.25 | 0.74 | – | – | – |" in text


def test_every_result_names_its_command():
    tool = runpy.run_path(str(ROOT / "tools" / "make_results.py"))
    for path in (ROOT / "docs" / "results").glob("*.json"):
        assert tool["read"](path.stem)["command"].startswith(("meshgan ", "python tools/"))
