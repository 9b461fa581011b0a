"""Which scans files and folders name, what they are called, and whose landmarks are whose."""

import json

import numpy as np
import pytest

from meshgan.apps.register_files import check_orders, find_jobs
from meshgan.apps.register_jobs import FileJob, job_key, read_measured
from meshgan.data.mesh_io import write_mesh
from meshgan.data.point_lists import write_points
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.mesh import TriMesh
from tests.data.importers.trees import bnd_text, face_landmarks, lm3_text

TRIANGLE = TriMesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
POINTS = np.arange(68 * 3.0).reshape(68, 3)


@pytest.fixture
def root(tmp_path):
    for name in ("a.ply", "sub/b.obj", "sub/deep/c.stl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_mesh(tmp_path / name, TRIANGLE)
    (tmp_path / "notes.txt").write_text("no scan")
    (tmp_path / ".hidden.ply").write_text("no scan")
    return tmp_path


def test_a_folder_is_searched(root):
    jobs = find_jobs([root])
    assert [job.name for job in jobs] == ["a", "sub/b", "sub/deep/c"]
    assert jobs[1].path == root / "sub/b.obj"
    assert all(job.landmarks is None for job in jobs)


def test_paths_are_absolute_for_processes_elsewhere(root, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(root)
    assert find_jobs([Path("a.ply")])[0].path == root / "a.ply"


def test_names_are_short_unless_two_are_the_same(root):
    (root / "other").mkdir()
    write_mesh(root / "other/b.ply", TRIANGLE)
    files = [root / "sub/b.obj", root / "a.ply"]
    assert [job.name for job in find_jobs(files)] == ["a", "b"]
    names = [job.name for job in find_jobs([*files, root / "other/b.ply"])]
    assert names == ["a", "other/b", "sub/b"]
    write_mesh(root / "sub/b.ply", TRIANGLE)
    with pytest.raises(InputError, match=r"sub/b.obj and .*sub/b.ply: would have one name"):
        find_jobs([root])


@pytest.mark.parametrize("name", ["a_landmarks.json", "a_landmarks68.csv", "a.pts", "a.npy"])
def test_landmarks_beside_a_scan(root, name):
    write_points(root / name, POINTS)
    job = find_jobs([root / "a.ply"])[0]
    assert (job.landmarks, job.order) == (root / name, "ibug68")
    scan = job.load()
    np.testing.assert_array_equal(scan.landmarks.points, POINTS)
    assert scan.landmarks.order == "ibug68"


def test_formats_that_know_their_order(root):
    (root / "a.bnd").write_text(bnd_text(face_landmarks(0)))
    job = find_jobs([root / "a.ply"])[0]
    assert job.order == "bu83"
    assert job.load().landmarks.points.shape == (83, 3)
    (root / "a.bnd").unlink()
    (root / "a.lm3").write_text(lm3_text({"Nose tip": (1.0, 2, 3), "Chin middle": (0.0, -9, 1)}))
    job = find_jobs([root / "a.ply"])[0]
    assert job.order == "bosphorus24"
    points = job.load().landmarks.points
    np.testing.assert_array_equal(points[13], [1, 2, 3])
    assert np.isnan(points[0]).all()


def test_landmarks_in_a_folder_of_their_own(root, tmp_path_factory):
    marks = tmp_path_factory.mktemp("marks")
    (marks / "sub").mkdir()
    write_points(marks / "a.pts", POINTS)
    write_points(marks / "sub/b.pts", POINTS + 1)
    jobs = find_jobs([root], marks)
    assert [job.landmarks for job in jobs] == [marks / "a.pts", marks / "sub/b.pts", None]
    with pytest.raises(InputError, match=r"holds none for any scan; expected names like c_land"):
        find_jobs([root / "sub/deep/c.stl"], marks)


def test_one_landmark_file_is_for_one_scan(root):
    write_points(root / "points.json", POINTS)
    job = find_jobs([root / "a.ply"], root / "points.json")[0]
    assert job.landmarks == root / "points.json"
    with pytest.raises(InputError, match=r"one file for 3 scans; give a folder"):
        find_jobs([root], root / "points.json")
    write_points(root / "points.json", POINTS[:67])
    with pytest.raises(InputError, match=r"67 landmarks, but ibug68 has 68; --order names"):
        find_jobs([root / "a.ply"], root / "points.json")
    with pytest.raises(InputError, match="no such file or folder"):
        find_jobs([root / "a.ply"], root / "none.json")
    with pytest.raises(InputError, match="there is no such order"):
        find_jobs([root / "a.ply"], order="ibug69")


def test_all_bad_names_stand_in_one_message(root):
    (root / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_jobs([root / "none.ply", root / "notes.txt", root / "empty", root / "a.ply"])
    for part in ("none.ply: no such file", "unknown mesh format '.txt'", "empty: holds no scan"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match="no scan given"):
        find_jobs([])


def test_orders_that_the_template_does_not_know(root):
    write_points(root / "a.pts", POINTS)
    jobs = find_jobs([root / "a.ply"])
    check_orders(jobs, Template("t", TRIANGLE, {"ibug68": np.zeros(68, np.int64)}))
    check_orders(find_jobs([root / "sub"]), Template("t", TRIANGLE))  # no landmarks, no matter
    with pytest.raises(InputError, match=r"landmarks ibug68: none of them .*it has none"):
        check_orders(jobs, Template("t", TRIANGLE))


def test_units_are_left_to_the_registration(root):
    assert FileJob("a", root / "a.ply").load().unit is None
    assert FileJob("a", root / "a.ply", unit="m").load().unit == "m"
    np.testing.assert_array_equal(
        FileJob("a", root / "a.ply", unit="m").load().mesh.vertices, TRIANGLE.vertices
    )
    write_mesh(root / "d.glb", TRIANGLE)  # metres by its standard
    scan = FileJob("d", root / "d.glb").load()
    assert scan.unit == "m"
    np.testing.assert_allclose(scan.mesh.vertices, TRIANGLE.vertices / 1000, atol=1e-9)


def test_key_follows_the_files_and_the_way(root):
    import os

    write_points(root / "a.pts", POINTS)
    job = find_jobs([root / "a.ply"])[0]
    first = job_key(job, {"x": 1})
    assert job_key(find_jobs([root / "a.ply"])[0], {"x": 1}) == first
    keys = {first, job_key(job, {"x": 2}), job_key(FileJob("b", job.path, job.landmarks), {"x": 1})}
    os.utime(root / "a.pts", (5, 5))
    keys.add(job_key(job, {"x": 1}))
    os.utime(root / "a.ply", (5, 5))
    keys.add(job_key(job, {"x": 1}))
    assert len(keys) == 5
    (root / "a.ply").unlink()
    keys.add(job_key(job, {"x": 1}))
    assert len(keys) == 6


def test_a_damaged_landmark_file_is_named(root):
    (root / "a.json").write_text(json.dumps({"points": [[1, 2]]}))
    with pytest.raises(FileFormatError, match=r"a.json: "):
        read_measured(root / "a.json", "ibug68")
