"""The multilinear autoencoder: an image of a face in, a code per factor, a tensor back to faces."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.errors import InputError, ShapeError
from meshgan.models.base import NOISE, Codes, FaceDecoder
from meshgan.models.whitening import Whitening


class ImageEncoder(nn.Module):
    """A geometry image to one code per factor: strided convolutions, then a linear layer.

    Axis letters: B batch, n pixels a side, d length of all codes together.

    Args:
        size_px: n.
        channels: of the convolutions 3x3, stride 2, padding 1, each before a leaky ReLU.
        size: d.
        slope: of the leaky ReLU below zero.
    """

    mean_image: Float[Tensor, "3 n n"]
    scale: Float[Tensor, ""]

    def __init__(self, size_px: int, channels: Sequence[int], size: int, slope: float) -> None:
        super().__init__()
        self.register_buffer("mean_image", torch.zeros(3, size_px, size_px))
        self.register_buffer("scale", torch.ones(()))
        layers: list[nn.Module] = []
        side = size_px
        for inputs, outputs in zip((3, *channels), channels, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(slope)]
            side = (side + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.output = nn.Linear(channels[-1] * side * side, size)

    def forward(self, images: Float[Tensor, "B 3 n n"]) -> Float[Tensor, "B d"]:
        """Codes side by side, of images of displacements in mm."""
        if images.shape[1:] != self.mean_image.shape:
            raise ShapeError(
                f"images {tuple(images.shape[1:])}, the encoder takes "
                f"{tuple(self.mean_image.shape)}"
            )
        return self.output(self.layers((images - self.mean_image) / self.scale))


class MultilinearAutoencoder(FaceDecoder):
    """A face is multilinear in the codes of its factors, and an encoder finds the codes.

    With each code extended by a one, c_f' = (1, c_f), the face is

        template + mean + basis * core x (c_1' x c_2' x ...)

    so that the core holds a linear model of each factor, and of the products of any of them. The
    basis is fixed; core and encoder are learned. What ``decode`` takes is standard normal: the
    encoder's codes whitened by the training faces.

    Axis letters: V vertices, r directions of the basis, d length of a code.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of each factor; any number of factors.
        code_sizes: length of each factor's code; there is no noise.
        directions: r.
        image_size: pixels a side of the encoder's images.
        channels: of the encoder's convolutions.
        slope: of the encoder's leaky ReLU below zero.

    Raises:
        InputError: noise is among the codes.

    Source: Fernández Abrevaya et al. 2018, Multilinear autoencoder for 3D face model learning,
    Secs. 3-4. Differs: codes are affine (the paper multiplies them as they are), the tensor acts in
    the leading principal directions of the meshes, and the encoder sees geometry images of
    displacements, not height maps of scans.
    """

    mean: Float[Tensor, " W"]
    basis: Float[Tensor, "r W"]

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        directions: int,
        image_size: int = 64,
        channels: Sequence[int] = (16, 32, 64, 128),
        slope: float = 0.2,
    ) -> None:
        super().__init__(template_vertices, faces, factors, code_sizes)
        if NOISE in code_sizes:
            raise InputError("mae: the model has no noise; give code sizes of its factors alone")
        self.image_size, self.channels, self.slope = image_size, list(channels), slope
        width = template_vertices.numel()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("basis", torch.zeros(directions, width))
        self.core = nn.Parameter(torch.zeros(directions, *(1 + d for d in code_sizes.values())))
        self.encoder = ImageEncoder(image_size, channels, sum(code_sizes.values()), slope)
        self.whitenings = nn.ModuleDict({name: Whitening(d) for name, d in code_sizes.items()})

    def settings(self) -> dict[str, Any]:
        return {
            "directions": len(self.basis),
            "image_size": self.image_size,
            "channels": self.channels,
            "slope": self.slope,
        }

    @torch.no_grad()
    def set_core(
        self, core: Float[np.ndarray, "*axes r"], label_codes: Mapping[str, np.ndarray]
    ) -> None:
        """Take a multilinear model in the same basis.

        Args:
            core: an axis per factor, entry 0 of each for the one; then the coordinates, mm. Axes
                may be shorter than the codes here: the rest stays without effect.
            label_codes: by factor (K, entries of its axis less one).
        """
        self.core.zero_()
        axes = [slice(0, length) for length in core.shape[:-1]]
        given = torch.from_numpy(np.moveaxis(core, -1, 0).astype(np.float32))
        self.core[(slice(None), *axes)] = given
        for name, codes in label_codes.items():
            table = self.label_codes(name)
            used = min(table.shape[1], codes.shape[1])
            table[:, :used] = torch.from_numpy(codes[:, :used].astype(np.float32))

    def whitening(self, factor: str) -> Whitening:
        """Between the encoder's codes of a factor and standard ones."""
        found = self.whitenings[factor]
        assert isinstance(found, Whitening)
        return found

    def encode(self, images: Float[Tensor, "B 3 n n"]) -> Codes:
        """Standard codes of faces, from their geometry images (displacements, mm)."""
        raw = self.split(self.encoder(images))
        return {name: self.whitening(name).standard(code) for name, code in raw.items()}

    def coefficients(self, raw: Codes) -> Float[Tensor, "B r"]:
        """Coordinates (mm) in the basis, of the encoder's codes by factor, not whitened."""
        products = None
        for name in self.code_sizes:
            code = raw[name]
            affine = torch.cat([torch.ones_like(code[:, :1]), code], dim=1)
            if products is None:
                products = affine
            else:
                products = (products[:, :, None] * affine[:, None, :]).flatten(1)
        assert products is not None  # there is at least one factor
        return products @ self.core.view(len(self.core), prod(self.core.shape[1:])).T

    def displacements(self, coefficients: Float[Tensor, "B r"]) -> Float[Tensor, "B V 3"]:
        """Displacements from the template (mm) of coordinates in the basis."""
        return torch.addmm(self.mean, coefficients, self.basis).unflatten(1, (-1, 3))

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        return self.template_vertices + self.displacements(self._coefficients_of(codes))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm, from their columns of the basis alone."""
        columns = (3 * vertex_ids[:, None] + torch.arange(3, device=vertex_ids.device)).flatten()
        moved = torch.addmm(
            self.mean[columns], self._coefficients_of(codes), self.basis[:, columns]
        )
        return self.template_vertices[vertex_ids] + moved.unflatten(1, (-1, 3))

    def _coefficients_of(self, codes: Codes) -> Tensor:
        self.join(codes)  # complains about wrong codes
        return self.coefficients(
            {name: self.whitening(name).raw(codes[name]) for name in self.code_sizes}
        )
