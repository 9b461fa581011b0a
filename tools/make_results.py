"""Collect measured numbers into docs/results and render them into the README.

Run by ``make results`` after ``make demo`` on an idle machine; ``--bench`` times the benchmarks
anew (all but those that take many minutes, or those named), ``--comparison`` takes in what
``meshgan compare`` wrote. The README's tables are rendered from the JSON alone, and a test compares
the two.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from meshgan.apps.compare_appendix import ABLATIONS, ablation_cells
from meshgan.apps.compare_table import CONTROLS, TABLES, as_markdown, cells

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
BEGIN, END = "<!-- results: made by make results -->", "<!-- end of results -->"
BENCHES = {
    "train": ["bench", "train"],
    "train_bf16": ["bench", "train", "--precision", "bf16"],
    "geometry": ["bench", "geometry"],
    "uv": ["bench", "uv"],
    "specificity": ["bench", "specificity"],
    "render": ["bench", "render"],
    "io": ["bench", "io"],
    "register": ["bench", "register", "--rounds", "5"],
    "sample": ["bench", "sample"],
    "view": ["bench", "view"],
    "fit": ["bench", "fit"],
    "specificity_paper": ["bench", "specificity", "--size", "paper", "--rounds", "3"],
}
QUALITY = 90  # of a large picture
DEAR = ("specificity_paper",)
REGISTERED = {"register": "default", "register_ict": "ICT"}
METHODS = {
    "ours": "meshgan",
    "amberg": "trimesh, Amberg",
    "sumner": "trimesh, Sumner",
    "ours_without_landmarks": "meshgan, no landmarks",
    "amberg_without_landmarks": "trimesh, Amberg, no landmarks but the pose",
}
ROWS = {
    "diversity": ("diversity (mm)", 2, 1.0),
    "diversity_identity": ("of one identity (mm)", 2, 1.0),
    "diversity_expression": ("of one expression (mm)", 2, 1.0),
    "specificity": ("specificity (mm)", 2, 1.0),
    "oracle_identity": ("identity found again (%)", 1, 100.0),
    "oracle_expression": ("expression found again (%)", 1, 100.0),
    "laplacian_residual": ("Laplacian residual (1/mm)", 3, 1.0),
    "inverted_triangles": ("inverted triangles per mesh", 1, 1.0),
}
DOINGS = {
    "train": "a training round, paper size, float32",
    "train_bf16": "the same with bfloat16 products",
    "geometry": "mesh to image and gradient, batch 64",
    "uv": "pixel lookup",
    "specificity": "nearest training mesh, exact",
    "specificity_paper": "the same at the paper's size, 1,000 against 30,559",
    "render": "normal maps, 224 pixels; plain: torch",
    "register": "a raw scan registered; plain: trimesh, at higher error",
    "io": "a data set read in order",
    "sample": "1,024 random faces, paper size",
    "view": "one face in the viewer: decoded, lit, 22,000 vertices",
    "fit": "144 faces from 85 landmarks, paper size; plain: Adam on whole meshes",
}


def main() -> None:
    """Collect, render, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=ROOT / "runs" / "demo")
    parser.add_argument(
        "--bench", nargs="*", choices=BENCHES, help=f"time them; without names all but {DEAR}"
    )
    parser.add_argument("--comparison", type=Path, help="folder of meshgan compare")
    parser.add_argument("--ict", type=Path, help="with --bench: ICT-FaceKit's files, to scan them")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if options.demo.exists():
        collect_demo(options.demo)
    if options.comparison:
        collect_comparison(options.comparison)
    if options.bench is not None:
        for name in options.bench or [name for name in BENCHES if name not in DEAR]:
            write(name, time_benchmark(BENCHES[name]))
            if name == "register" and options.ict:
                write("register_ict", time_benchmark([*BENCHES[name], "--faces"], options.ict))
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{render()}\n{END}{after}", encoding="utf-8")


def collect_demo(demo: Path) -> None:
    """Metrics of a finished demo with what they depend on, and its picture."""
    provenance = json.loads((demo / "run" / "provenance.json").read_text())
    kept = ("command", "seed", "device", "machine", "packages")
    metrics = json.loads((demo / "metrics.json").read_text())
    write("demo", {"metrics": metrics, **{key: provenance[key] for key in kept}})
    picture = (demo / "identity_in_all_expressions.png").read_bytes()
    (RESULTS / "grid.png").write_bytes(picture)


def collect_comparison(folder: Path) -> None:
    """The numbers of the tables with where they come from, and the sheet of all models."""
    result = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    shown = dict.fromkeys(
        column.key for table in (*TABLES, CONTROLS) for column in table.columns
    )  # once each, in order
    about = ("name", "title", "group", "expected", "seed", "command", "weights")
    spent = ("training_seconds", "seconds")

    def kept(row: dict) -> dict:
        intervals = {key: value for key, value in row["interval"].items() if key in shown}
        rough = "laplacian_residual"
        ratios = {rough: row["ratios"][rough]} if rough in row.get("ratios", {}) else {}
        numbers = {key: row[key] for key in (*about, *shown, *spent) if key in row}
        return {**numbers, "interval": intervals, "ratios": ratios}

    write(
        "compare",
        {
            "rows": [kept(row) for row in result["rows"]],
            "controls": [kept(row) for row in result["controls"]],
            "data": {part: kept(row) for part, row in result["data"].items()},
            "settings": result["settings"],
            "times": result["times"],
            "command": result["settings"]["command"],
            "seconds": result["seconds"],
        },
    )
    with Image.open(folder / "pictures" / "expressions.png") as picture:  # two rows a model: large
        picture.convert("RGB").save(RESULTS / "expressions.jpg", quality=QUALITY)


def time_benchmark(words: list[str], file: Path | None = None) -> dict:
    """The JSON of one benchmark, run in a process of its own; its command names no folder."""
    last = [] if file is None else [str(file)]
    command = [sys.executable, "-m", "meshgan", *words, *last, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shown = " ".join(["meshgan", *words, *(Path(one).name for one in last)])
    return {"command": shown, **json.loads(done.stdout)}


def write(name: str, value: dict) -> None:
    """One result as JSON."""
    (RESULTS / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read(name: str) -> dict:
    """One result."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def render() -> str:
    """The README's tables."""
    demo = read("demo")
    metrics, seconds = demo["metrics"], demo["metrics"]["seconds"]
    minutes = sum(seconds.values()) / 60
    lines = [
        f"`make demo` on two CPU cores: {minutes:.0f} minutes after installation, of which "
        f"{seconds['training'] / 60:.0f} are training. Fresh faces are people whom the model "
        "never saw.",
        "",
        "| | model | training faces | fresh faces |",
        "|---|---|---|---|",
    ]
    for key, (name, digits, factor) in ROWS.items():
        columns = [metrics, metrics["training"], metrics["fresh"]]
        cells = [
            f"{factor * column[key]:.{digits}f}" if key in column else "" for column in columns
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| beside the plain way, in one process | ratio | ours (ms) | plain (ms) |"]
    lines.append("|---|---|---|---|")
    for name, doing in DOINGS.items():
        if (RESULTS / f"{name}.json").exists():
            bench = read(name)
            lines.append(
                f"| {doing} (`{bench['command']}`) | {bench['ratio']:.1f} "
                f"| {milliseconds(bench, 'ms')} | {milliseconds(bench, 'plain_ms')} |"
            )
    return "\n".join([*render_comparison(), *lines, *render_reading(), *render_registration()])


def milliseconds(bench: dict, key: str) -> str:
    """Of one image where the benchmark makes many."""
    value = bench.get(f"{key}_per_image", bench[key])
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def render_comparison() -> list[str]:
    """Tables 1 and 2 of the paper on the default faces, and the same against the known truth."""
    if not (RESULTS / "compare.json").exists():
        return []
    result = read("compare")
    settings = result["settings"]
    lines = [
        f"`{settings['command']}`: {settings['meshes']:,} training faces, seed "
        f"{settings['seed']}, ± is half of the 95 % interval.",
        "",
    ]
    tables = [(table, cells(table, result)) for table in TABLES[:3]]
    for table, found in (*tables, (ABLATIONS, ablation_cells(result))):
        if found:
            lines += [f"**{table.title}.** {table.text}", "", as_markdown(found), ""]
    return lines


def render_reading() -> list[str]:
    """Megabytes a second of ``bench io``, by what is read."""
    if not (RESULTS / "io.json").exists():
        return []
    result = read("io")
    ways = {
        "sequential": "in order, 64 at a time",
        "single": "single meshes at random",
        "batches": "batches of 64 at random",
    }
    lines = [
        "",
        f"| reading meshes (`{result['command']}`) | data set (MB/s) | numpy's memory map (MB/s) |",
        "|---|---|---|",
    ]
    for key, name in ways.items():
        found = result["ways"][key]
        lines.append(f"| {name} | {found['mb_per_s']:,.0f} | {found['plain_mb_per_s']:,.0f} |")
    return lines


def render_registration() -> list[str]:
    """Errors of ``bench register``: a template that slides has small surface errors only."""
    lines = []
    for name, faces in REGISTERED.items():
        if not (RESULTS / f"{name}.json").exists():
            continue
        result = read(name)
        lines += [
            "",
            f"Raw scans of {faces} faces, mean / 95 % in mm (`{result['command']}`). Vertices: how "
            "far from where they belong; surface: how far from what was scanned. Folded: "
            "triangles a scan away from the rims of eyes and mouth.",
            "",
            "| | vertices | surface | vertices, expressive | surface, expressive | folded | s |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [registration_row(result["errors_mm"], method) for method in METHODS]
    return lines


def registration_row(errors: dict, method: str) -> str:
    """One method in the table of registrations."""
    kinds = [errors[kind][method] for kind in ("neutral", "expressive")]
    cells = [
        f"{found[f'{what}_mean']:.2f} / {found[f'{what}_p95']:.2f}"
        for found in kinds
        for what in ("vertex", "surface")
    ]
    folded = sum(found["folded_elsewhere"] for found in kinds) / len(kinds)
    cells += [f"{folded:.1f}", f"{kinds[0]['seconds']:.1f}"]
    return f"| {METHODS[method]} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
