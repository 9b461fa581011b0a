"""``meshgan landmarks``: checks files of all kinds, carries sets, says what is wrong."""

import json

import numpy as np
import pytest

from meshgan.apps.landmarks import carry_sets, check_landmarks
from meshgan.cli.landmarks import Carry, Check
from meshgan.data.landmarks import LandmarkSet, read_landmarks, write_landmarks, write_points
from meshgan.data.mesh_io import write_mesh
from meshgan.data.synthetic import open_source
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh


@pytest.fixture(scope="module")
def template():
    return open_source("low").template


@pytest.fixture
def points(template):
    return template.mesh.vertices[template.landmarks["ibug68"]].astype(np.float64)


def test_a_good_list(points, tmp_path):
    write_points(tmp_path / "scan.pts", points)
    summary = Check(file=tmp_path / "scan.pts")()
    assert summary["ok"]
    assert summary["points"] == {"ibug68": 68}
    json.dumps(summary)


def test_a_reversed_jaw(points, tmp_path):
    points[:17] = points[16::-1]
    write_points(tmp_path / "scan.csv", points)
    summary = check_landmarks(tmp_path / "scan.csv", "ibug68")
    assert not summary["ok"]
    assert summary["problems"] == [
        f"{tmp_path / 'scan.csv'}: jaw runs the other way (points 0 to 16)"
    ]


def test_points_with_names(template, tmp_path):
    names = "Nose tip", "Outer left eye corner", "Outer right eye corner", "Chin middle"
    places = template.mesh.vertices[template.landmarks["bosphorus22"]][[13, 6, 9, 21]]
    lines = [f"{name}\n{x} {y} {z}" for name, (x, y, z) in zip(names, places, strict=True)]
    (tmp_path / "a.lm3").write_text("\n".join(["4 landmarks:", *lines]) + "\n")
    summary = check_landmarks(tmp_path / "a.lm3")
    assert list(summary["points"]) == ["bosphorus24"]


def test_sets_of_a_mesh(template, tmp_path):
    write_mesh(tmp_path / "face.ply", template.mesh)
    sets = [LandmarkSet.at_vertices(name, template.landmarks[name]) for name in ("ibug68", "bu83")]
    sets.append(LandmarkSet.at_vertices("mine", np.array([1, 2])))
    write_landmarks(tmp_path / "face.toml", sets)
    summary = check_landmarks(tmp_path / "face.toml", mesh=tmp_path / "face.ply")
    assert summary["ok"]
    assert summary["points"] == {"ibug68": 68, "bu83": 83}
    with pytest.raises(InputError, match="give it with --mesh"):
        check_landmarks(tmp_path / "face.toml")
    with pytest.raises(InputError, match="has no set 'fit85'; it has ibug68, bu83, mine"):
        check_landmarks(tmp_path / "face.toml", "fit85", tmp_path / "face.ply")


def test_an_order_that_cannot_be_told(tmp_path):
    write_points(tmp_path / "few.json", np.zeros((5, 3)))
    with pytest.raises(InputError, match="5 points; give their order with --order: bosphorus22"):
        check_landmarks(tmp_path / "few.json")


def test_carries_a_templates_sets(template, tmp_path):
    order = np.random.default_rng(0).permutation(template.vertex_count)
    shuffled = TriMesh(template.mesh.vertices[order] + 200, np.argsort(order)[template.mesh.faces])
    write_mesh(tmp_path / "scan.ply", shuffled)
    write_mesh(tmp_path / "fit.ply", TriMesh(template.mesh.vertices + 200, template.mesh.faces))
    summary = Carry(
        source="anny_low",
        target=tmp_path / "scan.ply",
        out=tmp_path / "scan.toml",
        registered=tmp_path / "fit.ply",
    )()
    assert summary["sets"] == {"ibug68": 68, "fit85": 85, "bu83": 83, "bosphorus22": 22}
    sets = read_landmarks(tmp_path / "scan.toml")
    np.testing.assert_array_equal(order[sets["bu83"].vertex_ids], template.landmarks["bu83"])
    assert sets["bosphorus22"].labels[13] == "Nose tip"
    assert check_landmarks(tmp_path / "scan.toml", mesh=tmp_path / "scan.ply")["ok"]


def test_carries_sets_of_a_mesh(template, tmp_path):
    write_mesh(tmp_path / "a.ply", template.mesh)
    write_landmarks(tmp_path / "a.toml", [LandmarkSet.at_vertices("two", np.array([7, 70]))])
    out = tmp_path / "b.toml"
    files = {"landmarks": tmp_path / "a.toml"}
    carry_sets(str(tmp_path / "a.ply"), tmp_path / "a.ply", out, **files)
    np.testing.assert_array_equal(read_landmarks(out)["two"].vertex_ids, [7, 70])
    write_mesh(tmp_path / "small.ply", TriMesh(np.eye(3) * 50, np.array([[0, 1, 2]])))
    with pytest.raises(InputError, match=r"small\.ply: 3 vertices, but anny_low has"):
        carry_sets("anny_low", tmp_path / "a.ply", out, registered=tmp_path / "small.ply")
