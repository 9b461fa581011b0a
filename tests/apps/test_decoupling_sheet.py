"""The sheet of pairs judged different: the worst first, and what it says when there are none."""

import numpy as np
import pytest
import torch

from meshgan.apps.decoupling_sheet import decoupling_sheet
from meshgan.evaluation.decoupling import Decoupling, companion_codes, face_codes
from meshgan.pictures.camera import frame_faces
from meshgan.pictures.render import render_faces
from tests.fakes import AdditiveModel


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=12)


def judged(distances, threshold):
    between = np.ones((len(distances), len(distances)))
    return Decoupling(
        "identity", threshold, np.array(distances), between, (0.0, 1.0), (0.0, 0.0), seed=4
    )


def test_shows_the_worst_pair_of_each_face_first(model):
    found = judged([[0.1, 0.6], [0.9, 0.2], [0.1, 0.3]], threshold=0.5)
    sheet = decoupling_sheet(model, found, size_px=48)
    assert sheet.title == "Same identity code, judged different"
    assert list(sheet.column_labels) == ["0.90", "0.60"]
    assert "2 of 6 pairs are farther apart than 0.50" in sheet.subtitle
    codes = face_codes(model, 3, 4)
    faces = model.decode({name: code[[1, 0]] for name, code in codes.items()})
    mates = [
        model.decode(companion_codes(model, codes, "identity", face, 2, 4))[mate]
        for face, mate in ((1, 0), (0, 1))
    ]
    everything = torch.cat([faces, torch.stack(mates)])
    expected = render_faces(everything, model.faces, 48, box=frame_faces(everything, 14.0))
    shown = np.stack([*sheet.images[0], *sheet.images[1]])
    np.testing.assert_array_equal(shown, expected)
    assert sheet.draw().width > 2 * 48


def test_says_so_when_nothing_is_judged_different(model):
    sheet = decoupling_sheet(model, judged([[0.1, 0.2], [0.3, 0.2]], 0.5), pairs=1, size_px=48)
    assert "none judged different" in sheet.title
    assert list(sheet.column_labels) == ["0.30"]
    assert "0 of 4 pairs" in sheet.subtitle
