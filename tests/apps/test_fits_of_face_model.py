"""FaceModel fits: faces of a model that stand anywhere come back from landmarks and meshes."""

import numpy as np
import pytest
import torch

from meshgan.apps.face_model import FaceModel
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.rigid_icp import rotation_from_vector

TURN = rotation_from_vector(np.array([0.4, -1.2, 0.3]))
SHIFT = np.array([30.0, -200.0, 800.0])


@pytest.fixture(scope="module")
def model(tiny_run) -> FaceModel:
    return FaceModel.load(tiny_run)


@pytest.fixture(scope="module")
def posed(model) -> np.ndarray:
    vertices = model.decode(model.codes(3, seed=4)).numpy()
    return (vertices @ TURN.T + SHIFT).astype(np.float32)


def rms(fit, model, truth) -> np.ndarray:
    found = fit.vertices(model.model).numpy()
    return np.sqrt(((found - truth) ** 2).sum(axis=2).mean(axis=1))


def test_landmarks_by_name_unit_and_place(model, posed):
    ids = model.template.landmarks["fit85"]
    named = model.fit_landmarks("fit85", posed[:, ids], 0.01)
    assert (rms(named, model, posed) < 0.3).all()
    np.testing.assert_allclose(named.poses.rotation[0].numpy(), TURN, atol=0.01)
    metres = model.fit_landmarks(ids, posed[0, ids] / 1000, 0.01, unit="m")
    assert rms(metres, model, posed[:1]) < 0.3
    faces = np.arange(0, len(model.template.mesh.faces), 97)
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], len(faces))
    places = np.einsum("blkc,lk->blc", posed[:, model.template.mesh.faces[faces]], weights)
    inside = model.fit_landmarks((faces, weights), places, 0.01)
    assert (rms(inside, model, posed) < 0.3).all()
    with pytest.raises(InputError, match=r"are these m\?"):
        model.fit_landmarks("fit85", posed[:, ids] / 1000)


def test_meshes_and_codes(model, posed):
    meshes = [model.template.mesh.with_vertices(face) for face in posed]
    fit = model.fit_mesh(meshes, 1e-3)
    assert (rms(fit, model, posed) < 0.05).all()
    shown = model.meshes(fit)
    np.testing.assert_allclose(shown[1].vertices, posed[1], atol=0.5)
    codes = model.encode(meshes)
    assert {name: tuple(code.shape) for name, code in codes.items()} == {
        name: (3, size) for name, size in model.model.code_sizes.items()
    }
    upright = model.fit_mesh(model.decode(codes), 1e-3, pose=False)
    assert upright.poses is None
    assert float(upright.landmark_rms_mm.max()) < 0.05
    with pytest.raises(ShapeError, match="the model's topology; fit meshes of another"):
        model.fit_mesh(torch.zeros(10, 3))
