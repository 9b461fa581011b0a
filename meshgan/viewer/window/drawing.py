"""A stage as Open3D geometry: faces, edges, landmarks, and a camera that sees them all."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from open3d import core, geometry
from open3d.t.geometry import LineSet, PointCloud, TriangleMesh
from open3d.visualization import rendering

from meshgan.pictures.shading import to_srgb
from meshgan.viewer.stage import Stage, Surface

FIELD_OF_VIEW_DEG = 15.0  # of a portrait lens
MARGIN = 1.08
PAPER = (0.955, 0.96, 0.968)
EDGE_SHADE, POINT = 0.72, (0.10, 0.30, 0.85)
EDGE_LIFT_MM = 0.25  # towards the viewer: an edge in the surface would be drawn in pieces
LINE_PX, POINT_PX = 0.5, 7


class Drawing:
    """Keeps the geometry of an Open3D scene in step with a stage.

    Colours are lit already, so materials are unlit and post processing (which maps tones) is off:
    the window shows the bytes that were computed.

    Args:
        scene: of a window or an off-screen renderer.
        stage: what to show.
        scaling: pixels per point of the screen.
    """

    def __init__(self, scene: rendering.Open3DScene, stage: Stage, scaling: float = 1.0) -> None:
        self.scene, self.stage, self.scaling = scene, stage, scaling
        self._names: list[str] = []
        self._triangles = _tensor(stage.template.mesh.faces, np.int32)
        scene.view.set_post_processing(False)
        paper = to_srgb(torch.tensor(PAPER)).tolist()  # this colour alone is taken as light
        scene.set_background([*paper, 1.0])
        self._skin = _material("defaultUnlit")
        self._lines = _material("unlitLine", line_width=LINE_PX)
        self._points = _material("defaultUnlit", point_size=POINT_PX * scaling)

    def update(self) -> None:
        """Draw the stage as it is now, lit from beside the camera."""
        surfaces = self.stage.surfaces(self.view())
        for name in self._names:
            self.scene.remove_geometry(name)
        self._names = []
        for k, surface in enumerate(surfaces):
            self._add(f"face {k}", self._mesh(surface), self._skin)
            if self.stage.display.wireframe:
                self._add(f"edges {k}", self._edges(surface), self._lines)
            if len(surface.landmarks):
                self._add(f"landmarks {k}", _points(surface.landmarks), self._points)

    def view(self) -> Float[np.ndarray, "3 3"]:
        """Rotation from the scene to the camera, float32."""
        return np.asarray(self.scene.camera.get_view_matrix(), dtype=np.float32)[:3, :3]

    def camera(self, aspect: float) -> tuple[np.ndarray, np.ndarray]:
        """Centre of the faces, and where the camera stands to see them all from the front."""
        low, high = self.stage.bounds()
        centre, extent = (low + high) / 2, high - low
        half = MARGIN / 2 * max(float(extent[1]), float(extent[0]) / max(aspect, 0.1))
        distance = half / np.tan(np.deg2rad(FIELD_OF_VIEW_DEG) / 2) + float(extent[2]) / 2
        return centre, centre + np.array([0, 0, distance])

    def box(self) -> geometry.AxisAlignedBoundingBox:
        """What the near and far planes must hold."""
        low, high = self.stage.bounds()
        return geometry.AxisAlignedBoundingBox(low - 30, high + 30)

    def _add(self, name: str, shape: Any, material: rendering.MaterialRecord) -> None:
        self.scene.add_geometry(name, shape, material, False)
        self._names.append(name)

    def _mesh(self, surface: Surface) -> TriangleMesh:
        mesh = TriangleMesh(_tensor(surface.vertices), self._triangles)
        mesh.vertex.normals = _tensor(surface.normals)
        mesh.vertex.colors = _tensor(surface.colours)
        return mesh

    def _edges(self, surface: Surface) -> LineSet:
        lifted = surface.vertices + EDGE_LIFT_MM * surface.normals
        lines = LineSet(_tensor(lifted), _tensor(self.stage.edges, np.int32))
        ends = surface.colours[self.stage.edges].mean(axis=1)
        lines.line.colors = _tensor(EDGE_SHADE * ends)  # darker skin: the face stays readable
        return lines


def _points(places: Float[np.ndarray, "L 3"]) -> PointCloud:
    cloud = PointCloud(_tensor(places))
    cloud.point.colors = _tensor(np.tile(POINT, (len(places), 1)))
    return cloud


def _tensor(values: np.ndarray, dtype: type = np.float32) -> Any:
    return core.Tensor.from_numpy(np.array(values, dtype=dtype, order="C"))  # its own memory


def _material(shader: str, **settings: float) -> rendering.MaterialRecord:
    material = rendering.MaterialRecord()
    material.shader = shader
    for name, value in settings.items():
        setattr(material, name, value)
    return material
