"""A scene on a model whose answers are known, and a data set of domes."""

import numpy as np
import torch

from meshgan.apps.face_model import FaceModel
from meshgan.data.template import Template
from meshgan.geometry.mesh import TriMesh
from meshgan.viewer.scene import ModelScene
from tests.fakes import AdditiveModel


def additive_scene(side: int = 16, seed: int = 0) -> ModelScene:
    """A scene on the additive model, with one set of landmarks."""
    model = AdditiveModel(side)
    mesh = TriMesh(model.template_vertices.numpy(), model.faces.numpy())
    template = Template("dome", mesh, {"corners": np.array([0, side - 1, side * side - 1])})
    return ModelScene(FaceModel(model, template), "additive", seed)


def moved_by(scene: ModelScene, factor: str, code: torch.Tensor) -> np.ndarray:
    """Where the modes of the additive model carry the template, by definition."""
    modes = scene.model.model.modes[factor]
    move = torch.einsum("k,kvc->vc", code.double(), modes)
    return (scene.model.model.template_vertices.double() + move).numpy()
