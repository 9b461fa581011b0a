"""3D face modelling on meshes: data, geometry images, decoupled adversarial models.

The public names load on first use, so ``import meshgan`` is immediate and pulls in no torch.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_PUBLIC = {
    "TriMesh": "meshgan.geometry.mesh",
    "read_mesh": "meshgan.data.mesh_io",
    "read_scan": "meshgan.data.mesh_io",
    "write_mesh": "meshgan.data.mesh_io",
    "Template": "meshgan.data.template",
    "MeshDataset": "meshgan.data.dataset",
    "MeasuredLandmarks": "meshgan.data.importers.base",
    "register": "meshgan.registration.register",
    "Registrar": "meshgan.registration.register",
    "GeometryMap": "meshgan.models.geometry_map",
    "FaceModel": "meshgan.apps.face_model",
    "Camera": "meshgan.fitting.cameras",
    "metrics": "meshgan.evaluation",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from meshgan import evaluation as metrics
    from meshgan.apps.face_model import FaceModel
    from meshgan.data.dataset import MeshDataset
    from meshgan.data.importers.base import MeasuredLandmarks
    from meshgan.data.mesh_io import read_mesh, read_scan, write_mesh
    from meshgan.data.template import Template
    from meshgan.fitting.cameras import Camera
    from meshgan.geometry.mesh import TriMesh
    from meshgan.models.geometry_map import GeometryMap
    from meshgan.registration.register import Registrar, register


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'meshgan' has no attribute {name!r}")
    module = importlib.import_module(_PUBLIC[name])
    value = module if name == "metrics" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
