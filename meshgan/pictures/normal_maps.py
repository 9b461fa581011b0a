"""Faces as pictures of their normals: what the embedding networks of the decoupling metric see."""

from types import ModuleType
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from meshgan.errors import InputError, JobError, ShapeError
from meshgan.geometry import visibility
from meshgan.geometry.normals import vertex_normals
from meshgan.geometry.visibility_backend import warp_visibility
from meshgan.pictures.camera import Frame, frame_faces

Backend = Literal["auto", "warp", "torch"]
AT_ONCE = 64  # faces drawn together: bounds the memory at about 100 MB for 224 pixels


class NormalMaps:
    """Draws meshes seen from the front, each pixel holding the unit normal of the surface there.

    The view is orthographic and the same for all meshes: the square around the template, with a
    margin. So size and place of a face show, and pictures of different calls can be compared.
    Surfaces are seen from outside only; a hole, or the inside of a mouth, is background.

    Args:
        template_vertices: the template (V, 3), mm, +x the subject's left, +y up, +z out.
        faces: triangles (F, 3) of all meshes, counter-clockwise seen from outside.
        size_px: S, pixels a side; the paper's 224.
        backend: ``warp`` (kernels for CPU and CUDA), ``torch`` (the same pictures, about five times
            slower), or ``auto``: Warp where it works.
        margin: on each side, as a share of the template's extent; what a face has beyond it is
            cut off.

    Raises:
        InputError: fewer than 8 pixels, or a template without extent.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3 (orthographic renders, normals in RGB).
    Differs: the paper does not say how it frames faces, nor the colour of the background.
    """

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        size_px: int = 224,
        backend: Backend = "auto",
        margin: float = 0.1,
    ) -> None:
        if size_px < 8:
            raise InputError(f"normal maps: {size_px} pixels a side, expected at least 8")
        if backend not in ("auto", "warp", "torch"):
            raise InputError(f'normal maps: backend "{backend}", expected auto, warp or torch')
        if not template_vertices.isfinite().all():
            raise InputError("normal maps: the template has vertices that are not finite")
        self.vertex_count = len(template_vertices)
        self.size_px, self.backend = size_px, backend
        self.faces = faces.long()
        self.frame: Frame = frame_faces(template_vertices[None], margin=margin)

    @torch.no_grad()
    def maps(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B 3 S S"]:
        """Draw a batch on the device of ``vertices``.

        Args:
            vertices: positions (B, V, 3), mm, in the coordinates of the template.

        Returns:
            float32, -1 to 1, row 0 at the top; the channels are x, y and z of the unit normal,
            all 0 in the background. No gradient. A mesh looks the same in any batch.

        Raises:
            ShapeError: the meshes have another number of vertices than the template.
            InputError: a vertex is not finite.
            JobError: Warp was asked for and does not work here.
        """
        self._check(vertices)
        kernels = self._kernels(vertices.device)
        self.faces = self.faces.to(vertices.device)
        parts = [self._draw(some.float(), kernels) for some in vertices.split(AT_ONCE) if len(some)]
        if not parts:
            return vertices.new_zeros(0, 3, self.size_px, self.size_px, dtype=torch.float32)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def uses_warp(self, device: torch.device | str = "cpu") -> bool:
        """Whether meshes on this device are drawn by the Warp kernels."""
        return self._kernels(torch.device(device)) is not None

    def _kernels(self, device: torch.device) -> ModuleType | None:
        kernels = None if self.backend == "torch" else warp_visibility(str(device))
        if kernels is None and self.backend == "warp":
            raise JobError(
                f'normal maps: Warp does not work on {device}; use backend "auto" or "torch"'
            )
        return kernels

    def _draw(self, vertices: Tensor, kernels: ModuleType | None) -> Tensor:
        turned = self.frame.turn(vertices)
        points_px, depth = self.frame.to_pixels(turned, self.size_px)
        seen = (kernels or visibility).visible_triangles(points_px, depth, self.faces, self.size_px)
        if kernels is not None:
            return kernels.visible_normals(seen, points_px, vertices, self.faces)
        normals = vertex_normals(vertices, self.faces)
        shown = visibility.interpolate_visible(seen, points_px, normals, self.faces)
        return normalize(shown, dim=-1, eps=1e-12).permute(0, 3, 1, 2)

    def _check(self, vertices: Tensor) -> None:
        if vertices.shape[1] != self.vertex_count:
            raise ShapeError(
                f"normal maps: meshes of {vertices.shape[1]:,} vertices, but the template has "
                f"{self.vertex_count:,}; give meshes of the template's topology"
            )
        if bad := int((~vertices.isfinite()).flatten(1).any(dim=1).sum()):
            raise InputError(
                f"normal maps: {bad:,} of {len(vertices):,} meshes have vertices that are not "
                "finite; the model may have diverged"
            )
