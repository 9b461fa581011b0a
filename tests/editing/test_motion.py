"""SkinMotion: proportions act on the skin's motion, not on that of the head."""

import numpy as np
import torch

from meshgan.data.synthetic.source import open_source
from meshgan.editing.motion import Motion, SkinMotion
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.carrying import SurfaceCarrier


def heads():
    mesh = open_source().template.mesh
    rest = mesh.vertices.astype(np.float64)
    return rest, rest * [1.3, 1.0, 0.9], SurfaceCarrier(rest, mesh.faces)


def carried(carrier, rest, seen, other):
    def batch(array):
        return torch.from_numpy(array[None])

    none = torch.zeros(1, *rest.shape, dtype=torch.float64)
    motion = Motion(batch(rest), batch(seen), none)
    return SkinMotion(carrier).lacking(motion, batch(other), none)[0].numpy()


def test_a_nod_is_the_same_nod_on_a_wider_head():
    rest, wide, carrier = heads()
    angle = 0.05
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    nod = Similarity(turn, np.array([1.0, 2.0, -3.0]))
    found = carried(carrier, rest, nod.apply(rest) - rest, wide)
    np.testing.assert_allclose(found, nod.apply(wide) - wide, atol=1e-3)


def test_skin_moves_farther_on_a_wider_head_whatever_the_head_does():
    rest, wide, carrier = heads()
    centre = rest[rest[:, 2].argmax()]  # around the tip of the nose
    near = np.exp(-((rest - centre) ** 2).sum(axis=1) / (2 * 15.0**2))[:, None]
    smile = near * [4.0, 0.0, 0.0]
    still = carried(carrier, rest, smile, wide)
    tip = near[:, 0].argmax()
    assert 1.1 * 4 < still[tip, 0] < 1.35 * 4
    assert np.linalg.norm(still[near[:, 0] < 1e-3], axis=1).mean() < 0.1
    shift = np.array([0.0, 3.0, 1.0])
    moved = carried(carrier, rest, smile + shift, wide)
    np.testing.assert_allclose(moved, still + shift, atol=0.05)
