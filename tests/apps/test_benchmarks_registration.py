"""Cases of bad scans, and what is measured on them: repeatable, resumable, not fooled."""

import json
from dataclasses import replace

import numpy as np
import pytest

from meshgan.apps.benchmarks.register_faces import open_faces
from meshgan.apps.benchmarks.registration_cases import KINDS, make_case
from meshgan.apps.benchmarks.registration_sequences import (
    STILL,
    TalkingPerson,
    compare_sequence,
    measure_sequence,
)
from meshgan.apps.benchmarks.registration_starts import measure_starts, summarise
from meshgan.geometry.closest_point import SurfaceIndex

FACES = 3_000


@pytest.fixture(scope="module")
def source():
    return open_faces(None)


@pytest.mark.parametrize("kind", KINDS)
def test_landmarks_lie_on_the_scan_and_nothing_lies_where_it_is_cut(source, kind):
    case = make_case(KINDS.index(kind), [source], FACES)
    assert case.kind == kind
    beside = SurfaceIndex(case.scan.vertices, case.scan.faces).closest(case.landmarks.points)
    away = beside.distance > 4.0
    cut = kind in ("half", "side", "holes")
    assert away.mean() < (0.7 if cut else 0.05)
    if kind == "half":
        assert away.mean() > 0.3
    on_template = case.vertices[source.landmarks]
    np.testing.assert_allclose(on_template, case.landmarks.points, atol=1e-9)


def test_cases_are_the_same_each_time_and_turned_every_way(source):
    first, again = (make_case(0, [source], FACES) for _ in range(2))
    np.testing.assert_array_equal(first.scan.vertices, again.scan.vertices)
    up = []
    for number in range(8):
        points = make_case(number, [source], FACES).landmarks.points
        axis = points[27] - points[8]  # from the chin to the bridge of the nose
        up.append(axis / np.linalg.norm(axis))
    assert np.linalg.norm(np.mean(up, axis=0)) < 0.8


def test_sources_take_turns(source):
    other = open_faces(None)
    assert make_case(0, [source, other], FACES).source is source
    assert make_case(len(KINDS), [source, other], FACES).source is other


def row(**changes):
    one = {"kind": "clean", "faces": "default", "apart_mm": 0.5, "apart_guided_mm": 3.0}
    return {**one, "seconds": 1.0, **changes}


def test_a_face_that_was_not_found_is_not_near():
    found = summarise([row(), row(apart_mm=2.5, kind="half"), row(apart_mm=None)])
    assert (found["near"], found["cases"], found["near_guided"]) == (1, 3, 0)
    assert found["by_kind"] == {"clean": [1, 2], "half": [0, 1]}
    assert len(found["others"]) == 2


@pytest.mark.slow
def test_starts_are_compared_once_per_case(source, tmp_path):
    journal = tmp_path / "starts.jsonl"
    found = measure_starts([source], 1, journal, FACES)
    assert found["near"] == 1
    assert found["error_mm_median"] < 4.0
    line = json.loads(journal.read_text())
    changed = {**line, "apart_mm": 7.0}
    journal.write_text(json.dumps(changed) + '\n{"case": 1, "ki')  # killed meanwhile
    again = measure_starts([source], 1, journal, FACES)
    assert again["near"] == 0
    assert again["others"] == [changed]


@pytest.mark.slow
def test_a_sequence_is_compared_with_what_was_acted():
    person = TalkingPerson(5, replace(STILL, faces=4_000, holes=1, fragments=1))
    figures = measure_sequence(person)
    assert figures["frames"] == 5
    assert figures["worst_mm"] < 3.0
    assert figures["bridged"] == []


def test_a_drift_is_seen():
    """A registration that moves away by 1 mm a frame has that slope."""
    person = TalkingPerson(5, replace(STILL, faces=2_000))

    shifts = [np.array([float(frame), 0.0, 0.0]) for frame in range(5)]
    found = [person.scan(number).vertices + shift for number, shift in enumerate(shifts)]
    figures = compare_sequence(found, person)
    assert figures["error_by_frame_mm"] == [0, 1, 2, 3, 4]
    assert figures["slope_mm_per_100_frames"] == pytest.approx(100)
    assert figures["worst_frame"] == 4
