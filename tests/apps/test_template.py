"""``meshgan template``: what it says, what it writes, what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

from meshgan.apps.template import build_template, show_template
from meshgan.apps.template_sheet import draw_template
from meshgan.cli.main import parse
from meshgan.data.landmarks import LandmarkSet, write_landmarks
from meshgan.data.mesh_io import write_mesh
from meshgan.data.synthetic import open_source
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from tests.geometry.shapes import hill, tetrahedron


@pytest.fixture
def hill_file(tmp_path):
    mesh, _ = hill(9)
    scaled = TriMesh(mesh.vertices * 80.0, mesh.faces)
    write_mesh(tmp_path / "hill.ply", scaled)
    return tmp_path / "hill.ply"


def test_a_default_template(tmp_path):
    summary = show_template("anny_low", tmp_path / "low.png")
    assert summary["vertices"] == open_source("low").template.vertex_count
    assert summary["landmarks"] == {"ibug68": 68, "fit85": 85, "bu83": 83, "bosphorus22": 22}
    assert summary["symmetric"]
    json.dumps(summary)
    with Image.open(tmp_path / "low.png") as picture:
        assert picture.width > 1000
        assert np.asarray(picture).std() > 20  # not blank


def test_built_from_a_name_it_is_that_template(tmp_path):
    build_template("low", tmp_path / "low.npz")
    built, expected = Template.load(tmp_path / "low.npz"), open_source("low").template
    assert built.topology_hash == expected.topology_hash
    np.testing.assert_array_equal(built.mesh.uv, expected.mesh.uv)
    assert show_template(str(tmp_path / "low.npz"))["vertices"] == expected.vertex_count


def test_built_from_a_mesh(tmp_path, hill_file):
    marks = LandmarkSet.at_vertices("mine", np.array([40, 4]), ("top", "edge"))
    write_landmarks(tmp_path / "marks.toml", [marks])
    summary = build_template(str(hill_file), tmp_path / "out.npz", tmp_path / "marks.toml")
    assert summary["vertices"] == 81
    assert summary["landmarks"] == {"mine": 2}
    assert summary["symmetric"]
    assert summary["uv"]
    template = Template.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(template.mirror, hill(9)[1])
    assert (tmp_path / "out.png").is_file()


def test_folders_with_a_template(tmp_path, hill_file):
    (tmp_path / "data").mkdir()
    build_template(str(hill_file), tmp_path / "data" / "template.npz")
    assert show_template(str(tmp_path / "data"))["vertices"] == 81


def test_the_picture_marks_every_kind_of_annotation():
    full = open_source("low").template
    bare = Template("bare", full.mesh)
    assert draw_template(full).width > draw_template(bare).width
    changed = {**full.regions, "nose": full.regions["chin"]}
    other = Template(full.name, full.mesh, full.landmarks, full.mirror, changed)
    assert np.any(np.asarray(draw_template(other)) != np.asarray(draw_template(full)))


def test_refuses_what_is_no_template(tmp_path, hill_file):
    with pytest.raises(InputError, match="no such template, file or folder"):
        show_template("anny_huge")
    with pytest.raises(InputError, match=r"ends in \.npz"):
        build_template("low", tmp_path / "low.obj")
    with pytest.raises(InputError, match=r"ends in \.png"):
        show_template("low", tmp_path / "low.jpg")
    write_mesh(tmp_path / "ball.ply", tetrahedron())
    with pytest.raises(InputError, match="no disk"):
        build_template(str(tmp_path / "ball.ply"), tmp_path / "ball.npz")
    write_landmarks(tmp_path / "far.toml", [LandmarkSet.at_vertices("far", np.array([99]))])
    with pytest.raises(InputError, match=r"far\.toml: .*names vertex 99"):
        build_template(str(hill_file), tmp_path / "out.npz", tmp_path / "far.toml")


def test_commands_reach_the_functions(tmp_path, hill_file):
    shown = parse(["template", "show", str(hill_file)])()
    assert shown["vertices"] == 81
    built = parse(["template", "build", str(hill_file), "--out", str(tmp_path / "o.npz")])()
    assert built["file"] == str(tmp_path / "o.npz")
