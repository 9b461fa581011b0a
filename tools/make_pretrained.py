"""Make the small model that comes with the package: data, training, packing, scores, card.

Run by ``make pretrained``; what is there already in the working folder is used again. The commands
that it runs are those that the model card shows.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from meshgan.apps.face_model import load_model
from meshgan.apps.model_card import write_model_card
from meshgan.apps.pretrained import METRICS_FILE, pack_run, storage_facts
from meshgan.data.template import Template

SHIPPED = Path(__file__).parents[1] / "meshgan" / "pretrained"
BUILD = (  # people who show their emotions, and the same people talking
    "meshgan data build --source anny --out shown --count 7000 --subjects 240",
    "meshgan data build --source anny --out said --count 6000 --subjects 40 "
    "--factors identity,expression,viseme --labelled 0",
    "meshgan data join shown said --fill viseme=silence --out faces",
)
TRAIN = "meshgan train --preset pretrained --data faces --out run"
EVALUATE = (
    "meshgan evaluate packed --data faces --out scores "
    "--metrics diversity,specificity,quality,oracle,reconstruction"
)


def main() -> None:
    """Every step whose result is not there yet, then the shipped folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/pretrained"))
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    for command in BUILD:
        made = command.partition("--out ")[2].split()[0]
        if not (work / made / "dataset.json").exists():
            run(command, work)
    if not (work / "run" / "result.json").exists():
        run(TRAIN, work)
    shutil.rmtree(work / "packed", ignore_errors=True)
    packed = pack_run(work / "run", work / "packed")
    run(EVALUATE, work)
    template = Template.load(work / "packed" / "template.npz")
    metrics = json.loads((work / "scores" / METRICS_FILE).read_text(encoding="utf-8"))
    kept = ("settings", "ratios", "standard_error", "interval", "training", "fresh")
    numbers = {key: value for key, value in metrics.items() if isinstance(value, float)}
    storage = {
        "megabytes": packed["megabytes"],
        "template": template.name,
        "vertices": len(template.mesh.vertices),
        "faces": len(template.mesh.faces),
        **storage_facts(load_model(work / "run"), load_model(work / "packed")),
    }
    shown = {
        **numbers,
        **{key: metrics[key] for key in kept},
        "commands": [*BUILD, TRAIN, EVALUATE],
        "storage": storage,
    }
    (work / "packed" / METRICS_FILE).write_text(json.dumps(shown, indent=1) + "\n", "utf-8")
    write_model_card(work / "packed")
    shutil.rmtree(SHIPPED, ignore_errors=True)
    shutil.copytree(work / "packed", SHIPPED)


def run(command: str, folder: Path) -> None:
    """One command of the card, in the working folder."""
    words = shlex.split(command)[1:]
    subprocess.run([sys.executable, "-m", "meshgan", *words], cwd=folder, check=True)


if __name__ == "__main__":
    main()
