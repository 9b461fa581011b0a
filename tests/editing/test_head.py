"""hold_head: the head of a default face stays as still as in its rig, whose skull never moves."""

import numpy as np
import pytest

from meshgan.data.synthetic.recipes import EMOTIONS, both_sides
from meshgan.data.synthetic.source import open_source
from meshgan.data.template import Template
from meshgan.editing.head import hold_head, skull_weights
from meshgan.geometry.mesh import TriMesh
from tests.fakes import face_like_mesh


@pytest.fixture(scope="module")
def source():
    return open_source("low")


def test_foreheads_rim_stays_and_faces_keep_their_shape(source):
    names = source.action_names
    styles = [both_sides(style) for name in EMOTIONS for style in EMOTIONS[name]]
    actions = np.array([[style.get(name, 0.0) for name in names] for style in styles])
    rest, faces = source.neutral(3, 0), source.express(3, 0, actions)
    weights = skull_weights(source.template)
    held = hold_head(faces, rest, weights)
    top = np.flatnonzero(rest[:, 1] > rest[:, 1].max() - 6)
    before = np.linalg.norm((faces - rest)[:, top], axis=2)
    after = np.linalg.norm((held - rest)[:, top], axis=2)
    assert before.max() > 5
    assert after.max() < 1.5  # skin that frowns move, not bone
    drops = actions[:, names.index("jawOpen")] > 0.2
    assert drops.any()
    assert before[drops].mean() > 2
    assert after[drops].mean() < 0.2
    edges = source.template.mesh.faces[::50, :2]
    lengths = [np.linalg.norm(f[:, edges[:, 0]] - f[:, edges[:, 1]], axis=2) for f in (faces, held)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-3)


def test_templates_without_a_rim_are_left_alone():
    vertices, faces = face_like_mesh(side=8)
    assert skull_weights(Template("dome", TriMesh(vertices, faces))) is None
    moved = vertices[None] + np.float32(3)
    np.testing.assert_array_equal(hold_head(moved, vertices, None), moved)
