"""How well models fit faces that they never saw, and whether their intervals are right.

    meshgan data build --source anny --out fresh --count 480 --subjects 96 --seed 77
    python tools/measure_fits.py runs/gan runs/pca --faces fresh --count 48 --out fits.json

A minute of CPU time for two models and 48 faces; prints the numbers, and writes them where asked.

Faces are registered default faces of unseen people. Surface errors (mm, root mean square over the
vertices, mean over the faces): of fits to the whole mesh, and to 85 exact landmarks. Coverage: the
share of true coordinates inside the 90 % intervals of fits to noisy landmarks, for half of the
people, after calibration on the other half; and for faces of the model itself, uncalibrated.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy as np
import torch

from meshgan.apps.face_model import FaceModel
from meshgan.data.dataset import MeshDataset
from meshgan.data.store import Store
from meshgan.files import write_json
from meshgan.fitting.named_points import find_points
from meshgan.fitting.uncertainty import Calibration, calibrate, fit_noisy_landmarks, fit_uncertainty

LANDMARKS, NOISE_MM, LAMBDAS = "fit85", 1.0, (0.1, 1.0, 10.0)


def measure(model: FaceModel, faces: torch.Tensor, people: np.ndarray) -> dict[str, object]:
    """The numbers of one model."""
    ids = model.template.landmarks[LANDMARKS]
    found: dict[str, object] = {
        "codes": sum(model.model.code_sizes.values()),
        "mesh_rms_mm": float(model.fit_mesh(faces).landmark_rms_mm.mean()),
    }
    for value in LAMBDAS:
        fit = model.fit_landmarks(LANDMARKS, faces[:, ids], value, restarts=2)
        error = (fit.vertices(model.model) - faces).square().sum(dim=2).mean(dim=1).sqrt()
        found[f"landmarks_rms_mm_lambda_{value:g}"] = float(error.mean())
    points = find_points(LANDMARKS, model.template).points
    first = np.isin(people, np.unique(people)[::2])
    learnt = calibrate(model.model, faces[first], points, NOISE_MM)
    found["misfit_mm"] = float(learnt.misfit_mm.mean())
    found["scale"] = learnt.scale
    found["coverage_unseen"] = coverage(model, faces[~first], learnt)
    raw = Calibration(learnt.misfit_mm)
    found["coverage_unseen_unscaled"] = coverage(model, faces[~first], raw)
    own = model.decode(model.codes(len(faces) // 2, seed=9))
    found["coverage_own"] = coverage(model, own, Calibration(torch.zeros(faces.shape[1])))
    return found


def coverage(model: FaceModel, faces: torch.Tensor, calibration: Calibration) -> float:
    """Share of true coordinates inside their 90 % intervals."""
    points = find_points(LANDMARKS, model.template).points
    rng = torch.Generator().manual_seed(3)
    fit, truth = fit_noisy_landmarks(model.model, faces, points, NOISE_MM, calibration, rng)
    sure = fit_uncertainty(model.model, fit, NOISE_MM, calibration)
    return float(sure.covers(fit.vertices(model.model), truth).float().mean())


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--faces", required=True, type=Path, help="DATA of unseen people")
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--out", type=Path, help="JSON of the numbers")
    options = parser.parse_args()
    unseen = MeshDataset(Store(options.faces), split=None)
    rows = np.linspace(0, unseen.count - 1, min(options.count, unseen.count)).astype(np.int64)
    faces = torch.from_numpy(unseen.vertices(rows)).float()
    results = {
        run.name: measure(FaceModel.load(run), faces, unseen.subject[rows]) for run in options.runs
    }
    words = [run.name for run in options.runs]
    words += ["--faces", options.faces.name, "--count", str(options.count)]
    found = {
        "command": f"python tools/measure_fits.py {' '.join(words)}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "models": results,
    }
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    if options.out is not None:
        write_json(options.out, found)


if __name__ == "__main__":
    main()
