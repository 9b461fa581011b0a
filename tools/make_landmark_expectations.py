"""Write where the landmarks of each order lie on an average face, and how far people differ.

Run by hand after the default template has changed:
python tools/make_landmark_expectations.py data/templates/landmarks/expected.json
"""

import sys

import numpy as np

from meshgan.data.synthetic import open_source, plan_dataset
from meshgan.files import write_text
from meshgan.geometry.alignment import procrustes

FACES, PEOPLE, SEED = 1500, 300, 11
EAR_LOBES_MM = [[75.0, 122.0, 60.0], [-75.0, 122.0, 60.0]]  # outside the template: by eye
EAR_SPREAD_MM = 8.0
SETS = {"fit85": "fit85", "bu83": "bu83", "bosphorus24": "bosphorus22"}


def measure(vertices, expected, ids):
    """Root mean square distance of random faces from the expected places, after alignment."""
    weights, squares = np.ones(len(ids)), np.ones(len(ids))
    for _ in range(5):  # stable points count more
        moved = [
            procrustes(face.astype(float), expected, weights, scale=True).apply(face)
            for face in vertices[:, ids]
        ]
        squares = ((np.stack(moved) - expected) ** 2).sum(axis=2).mean(axis=0)
        weights = 1 / squares
    return np.sqrt(squares)


def main(out):
    source = open_source("low")
    plan = plan_dataset(FACES, subjects=PEOPLE)
    vertices = np.concatenate([rows.vertices for rows in source.stream(plan, SEED)])
    parts = []
    for order, name in SETS.items():
        ids = source.template.landmarks[name]
        expected = source.template.mesh.vertices[ids].astype(float)
        spread = measure(vertices, expected, ids)
        if order == "bosphorus24":
            expected = np.concatenate([expected, EAR_LOBES_MM])
            spread = np.concatenate([spread, [EAR_SPREAD_MM] * 2])
        points = ",\n".join(f"   [{x:.1f}, {y:.1f}, {z:.1f}]" for x, y, z in expected + 0.0)
        spreads = ", ".join(f"{value:.1f}" for value in spread)
        parts.append(f' "{order}": {{"points_mm": [\n{points}],\n  "spread_mm": [{spreads}]}}')
    write_text(out, "{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
