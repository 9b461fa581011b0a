"""Template: a value that is checked, survives its file to the bit, and never runs code from it."""

from dataclasses import replace

import numpy as np
import pytest

from meshgan.data.npz import read_npz, write_npz
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError, JobError
from meshgan.geometry.mesh import TriMesh
from tests.geometry.shapes import hill


@pytest.fixture
def template():
    mesh, mirror = hill(5)
    uv = (mesh.vertices[:, :2] + 1) / 2
    return Template(
        name="hill",
        mesh=TriMesh(mesh.vertices.astype(np.float32), mesh.faces, uv),
        landmarks={"top": np.array([12]), "corners": np.array([0, 4, 20, 24])},
        mirror=mirror,
        regions={"middle": np.array([11, 12, 13])},
    )


def test_survives_its_file_to_the_bit(template, tmp_path):
    template.save(tmp_path / "hill.npz")
    loaded = Template.load(tmp_path / "hill.npz")
    assert loaded.name == "hill"
    assert loaded.topology_hash == template.topology_hash
    assert list(loaded.landmarks) == ["top", "corners"]
    for name in ("vertices", "faces", "uv"):
        first, second = getattr(loaded.mesh, name), getattr(template.mesh, name)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(loaded.mirror, template.mirror)
    np.testing.assert_array_equal(loaded.landmarks["corners"], [0, 4, 20, 24])
    np.testing.assert_array_equal(loaded.regions["middle"], [11, 12, 13])


def test_same_template_same_bytes(template, tmp_path):
    for name in ("a.npz", "b.npz"):
        template.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_needs_nothing_but_a_mesh(tmp_path):
    mesh, _ = hill(5)
    Template("bare", mesh).save(tmp_path / "bare.npz")
    loaded = Template.load(tmp_path / "bare.npz")
    assert loaded.mirror is None
    assert loaded.mesh.uv is None
    assert dict(loaded.landmarks) == dict(loaded.regions) == {}


def test_ids_out_of_range_are_all_named(template):
    with pytest.raises(InputError) as caught:
        replace(template, landmarks={"a": np.array([3, 25])}, regions={"b": np.array([-1])})
    assert str(caught.value) == (
        "template hill: landmarks a names vertex 25; region b names vertex -1, "
        "but it has 25 vertices"
    )


def test_a_mirror_map_is_its_own_inverse(template):
    astray = template.mirror.copy()
    astray[0] = 3
    with pytest.raises(InputError, match="does not return 2 vertices"):
        replace(template, mirror=astray)


def _change(arrays, **changes):
    return {**arrays, **changes}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda a: {k: v for k, v in a.items() if k != "format"}, "not a template"),
        (
            lambda a: _change(a, format=np.array("meshgan-template 99")),
            'format "meshgan-template 99"',
        ),
        (lambda a: _change(a, faces=a["faces"].astype(float)), '"faces" has type float64'),
        (
            lambda a: _change(a, vertices=a["vertices"][:, :2]),
            r'"vertices" has type .* shape \(25, 2\)',
        ),
        (lambda a: _change(a, faces=a["faces"] + 5), "a face names vertex 29"),
        (lambda a: _change(a, uv=a["uv"][:20]), '"uv" has 20 rows, but there are 25 vertices'),
        (lambda a: _change(a, mirror=a["mirror"][:, None]), '"mirror" has type int64 and shape'),
        (lambda a: _change(a, mirror=a["mirror"][:20]), '"mirror" has 20 rows'),
    ],
)
def test_a_wrong_file_is_named(template, tmp_path, damage, message):
    path = tmp_path / "wrong.npz"
    template.save(path)
    write_npz(path, damage(read_npz(path)))
    with pytest.raises(FileFormatError, match=message) as caught:
        Template.load(path)
    assert str(caught.value).startswith(str(path))


def test_truncated_missing_and_pickled_files(template, tmp_path):
    path = tmp_path / "hill.npz"
    template.save(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FileFormatError, match="not a readable NPZ file"):
        Template.load(path)
    with pytest.raises(FileFormatError, match="no such file"):
        Template.load(tmp_path / "none.npz")
    np.savez(path, format=np.array([{}], dtype=object))
    with pytest.raises(FileFormatError):
        Template.load(path)


def test_a_save_that_fails_leaves_nothing(template, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JobError):
        template.save(tmp_path / "file" / "hill.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
