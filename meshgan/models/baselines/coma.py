"""COMA in its DeepFLAME form: linear identities, expressions by convolutions on the mesh."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.decimation import CoarseMesh
from meshgan.models.base import Codes, FaceDecoder
from meshgan.models.baselines.coma_rows import DecoderRows
from meshgan.models.chebyshev import ChebyshevConvolution, SparseMap, scaled_laplacian
from meshgan.models.whitening import Whitening

ROWS_KEPT = 4  # sets of vertices whose decoders are kept
ROWS_AT_ONCE = 8  # faces decoded together: more do not fit into caches
REMEMBERED = 1_500_000  # vertices of all faces whose gradient needs about 0.6 GB


class MeshPyramid(nn.Module):
    """The Laplacian of every level of a mesh, and the maps between neighbouring levels.

    Args:
        faces: triangles of the finest mesh (F, 3); its Laplacian follows from them.
        vertex_count: V of the finest mesh.
        levels: of each coarser mesh its vertices, and the stored entries of its Laplacian.

    Source: Ranjan et al. 2018, Sec. 3.2.
    """

    def __init__(
        self, faces: Int[Tensor, "F 3"], vertex_count: int, levels: Sequence[Sequence[int]]
    ) -> None:
        super().__init__()
        finest = scaled_laplacian(vertex_count, faces.cpu().numpy())
        counts = [vertex_count, *(vertices for vertices, _ in levels)]
        laplacians = [SparseMap.of(finest)]
        laplacians += [SparseMap((vertices, vertices), entries) for vertices, entries in levels]
        self.laplacians = nn.ModuleList(laplacians)
        pairs = list(pairwise(counts))
        self.down = nn.ModuleList(SparseMap((less, more), 3 * less) for more, less in pairs)
        self.up = nn.ModuleList(SparseMap((more, less), 3 * more) for more, less in pairs)

    @staticmethod
    def sizes_of(hierarchy: Sequence[CoarseMesh]) -> list[list[int]]:
        """The argument ``levels`` for a hierarchy."""
        return [
            [len(level.vertices), scaled_laplacian(len(level.vertices), level.faces).nnz]
            for level in hierarchy
        ]

    def set(self, hierarchy: Sequence[CoarseMesh]) -> None:
        """Take the maps and Laplacians of a hierarchy of these sizes."""
        for k, level in enumerate(hierarchy):
            self.laplacian(k + 1).set(scaled_laplacian(len(level.vertices), level.faces))
            self.map("down", k).set(level.down)
            self.map("up", k).set(level.up)

    def laplacian(self, level: int) -> SparseMap:
        """Of level 0, the finest, or a coarser one."""
        found = self.laplacians[level]
        assert isinstance(found, SparseMap)
        return found

    def map(self, direction: str, level: int) -> SparseMap:
        """``down`` from ``level`` to the next coarser one, or ``up`` from there."""
        found = getattr(self, direction)[level]
        assert isinstance(found, SparseMap)
        return found


class MeshAutoencoder(nn.Module):
    """Values at vertices to a short code and back: convolutions and pooling on a mesh.

    Down: convolution, ReLU, pooling per level, then a linear layer. Up: a linear layer, then
    unpooling, convolution, ReLU per level, then a convolution without ReLU.

    Axis letters: V vertices, B batch, C channels, d length of a code.

    Args:
        pyramid: levels of the mesh, one coarser one per filter.
        filters: channels of each level's convolution on the way down.
        order: Chebyshev polynomials per convolution.
        size: d.
        channels: C of input and output.

    Source: Ranjan et al. 2018, Tables 1 and 2.
    """

    def __init__(
        self,
        pyramid: MeshPyramid,
        filters: Sequence[int],
        order: int,
        size: int,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.pyramid, self.deepest = pyramid, filters[-1]
        down = [channels, *filters]
        up = [filters[-1], *reversed(filters)]
        self.narrowing = nn.ModuleList(
            ChebyshevConvolution(a, b, order) for a, b in zip(down, filters, strict=False)
        )
        self.widening = nn.ModuleList(ChebyshevConvolution(a, b, order) for a, b in pairwise(up))
        self.last = ChebyshevConvolution(filters[0], channels, order)
        coarsest = pyramid.laplacian(len(filters)).shape[0]
        self.to_code = nn.Linear(coarsest * self.deepest, size)
        self.from_code = nn.Linear(size, coarsest * self.deepest)
        self._rows: dict[tuple[int, ...], DecoderRows] = {}

    def encode(self, values: Float[Tensor, "B V C"]) -> Float[Tensor, "B d"]:
        """Codes of values at the vertices."""
        with torch.autocast(values.device.type, enabled=False):  # sparse products are in float32
            x = values.float().transpose(0, 1).contiguous()
            for level, convolution in enumerate(self.narrowing):
                x = convolution(x, self.pyramid.laplacian(level)).relu()
                x = self.pyramid.map("down", level)(x)
            return self.to_code(x.transpose(0, 1).flatten(1))

    def decode(self, codes: Float[Tensor, "B d"]) -> Float[Tensor, "B V C"]:
        """Values at the vertices of codes."""
        with torch.autocast(codes.device.type, enabled=False):
            x = self.from_code(codes.float()).unflatten(1, (-1, self.deepest)).transpose(0, 1)
            for level, convolution in zip(
                reversed(range(len(self.widening))), self.widening, strict=True
            ):
                x = self.pyramid.map("up", level)(x)
                x = convolution(x, self.pyramid.laplacian(level)).relu()
            return self.last(x, self.pyramid.laplacian(0)).transpose(0, 1)

    def at(self, ids: Int[Tensor, " L"]) -> DecoderRows:
        """The decoder at some vertices, with its derivatives; made once for the same vertices."""
        key = tuple(ids.tolist())
        if key not in self._rows:
            if len(self._rows) == ROWS_KEPT:
                self._rows.pop(next(iter(self._rows)))
            levels = range(len(self.widening))
            self._rows[key] = DecoderRows(
                [layer for layer in self.widening if isinstance(layer, ChebyshevConvolution)],
                self.last,
                self.from_code,
                [self.pyramid.laplacian(level) for level in levels],
                [self.pyramid.map("up", level) for level in levels],
                ids,
            )
        return self._rows[key]


class ConvolutionalMeshAutoencoder(FaceDecoder):
    """A face is a person's shape plus an expression's displacement.

    The first factor spans a linear space of people. The second is the code of a convolutional
    autoencoder that was trained on displacements from the person's own shape. Both codes are
    standard normal; the autoencoder's are whitened by the training faces.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of the two factors.
        code_sizes: of the two factors; there is no noise.
        levels: sizes of the coarser meshes, see ``MeshPyramid``.
        filters: channels of the convolutions, one per coarser mesh.
        order: Chebyshev polynomials per convolution.

    Raises:
        InputError: not two factors, noise, or as many filters as coarser meshes.

    Source: Ranjan et al. 2018, Generating 3D faces using convolutional mesh autoencoders, Sec. 3
    and Sec. 5.4 (DeepFLAME). Differs: their linear space is FLAME's, ours is of the same data.
    """

    mean: Float[Tensor, "V 3"]
    basis: Float[Tensor, "d V 3"]
    scale: Float[Tensor, ""]

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        levels: Sequence[Sequence[int]],
        filters: Sequence[int] = (16, 16, 16, 32),
        order: int = 6,
    ) -> None:
        super().__init__(template_vertices, faces, factors, code_sizes)
        if len(factors) != 2 or list(code_sizes) != list(factors):
            raise InputError(
                f"coma: codes for {', '.join(code_sizes)}, expected two factors and no noise: the "
                "first is linear (the person), the second has the autoencoder; set model.codes"
            )
        if len(levels) != len(filters):
            raise InputError(f"coma: {len(filters)} filters for {len(levels)} coarser meshes")
        self.linear_factor, self.deep_factor = factors
        self.linear_codes = (self.linear_factor,)
        self.levels, self.filters, self.order = [list(s) for s in levels], list(filters), order
        vertices = len(template_vertices)
        self.register_buffer("mean", torch.zeros(vertices, 3))
        self.register_buffer("basis", torch.zeros(code_sizes[self.linear_factor], vertices, 3))
        self.register_buffer("scale", torch.ones(()))
        pyramid = MeshPyramid(faces, vertices, levels)
        size = code_sizes[self.deep_factor]
        self.autoencoder = MeshAutoencoder(pyramid, filters, order, size)
        self.whitening = Whitening(size)

    def settings(self) -> dict[str, Any]:
        return {"levels": self.levels, "filters": self.filters, "order": self.order}

    @torch.no_grad()
    def set_people(
        self,
        mean: Float[np.ndarray, " W"],
        basis: Float[np.ndarray, "d W"],
        codes: Float[np.ndarray, "K d"],
        scale: float,
    ) -> None:
        """Take the linear space of people.

        Args:
            mean: displacement from the template (3V,), mm.
            basis: directions (d, 3V), mm per unit of code.
            codes: of the first factor's labels (K, d).
            scale: mm per unit of the autoencoder's values.
        """
        self.mean.copy_(torch.from_numpy(mean).view(-1, 3))
        self.basis.copy_(torch.from_numpy(basis).view(len(basis), -1, 3))
        self.label_codes(self.linear_factor).copy_(torch.from_numpy(codes))
        self.scale.fill_(scale)

    def person_displacements(self, codes: Float[Tensor, "B d"]) -> Float[Tensor, "B V 3"]:
        """Displacements (mm) from the template to the shapes of people."""
        return self.mean + (codes @ self.basis.flatten(1)).unflatten(1, (-1, 3))

    def codes_of_people(self, displacements: Float[Tensor, "B V 3"]) -> Float[Tensor, "B d"]:
        """Codes of the people of the linear space that are nearest to displacements (mm)."""
        basis = self.basis.flatten(1)  # orthogonal rows; those that are not used are zero
        lengths = basis.square().sum(dim=1)
        found = (displacements - self.mean).flatten(1) @ basis.T
        return found / torch.where(lengths > 0, lengths, torch.inf)

    def encode_expressions(self, displacements: Float[Tensor, "B V 3"]) -> Float[Tensor, "B e"]:
        """The autoencoder's codes, not whitened, of displacements (mm) from a person's shape."""
        if displacements.shape[1:] != self.template_vertices.shape:
            raise ShapeError(
                f"displacements of {displacements.shape[1]:,} vertices, the model has "
                f"{self.vertex_count:,}; register the meshes to its template first"
            )
        return self.autoencoder.encode(displacements / self.scale)

    def decode_expressions(self, codes: Float[Tensor, "B e"]) -> Float[Tensor, "B V 3"]:
        """Displacements (mm) from a person's shape, of the autoencoder's codes, not whitened.

        Many faces are decoded a few at a time. If a gradient is wanted of very many, they are
        decoded once more on the way back instead of being remembered.
        """
        forget = (
            torch.is_grad_enabled()
            and codes.requires_grad
            and len(codes) * self.vertex_count > REMEMBERED
        )
        decoded = [
            checkpoint(self.autoencoder.decode, part, use_reentrant=False)
            if forget
            else self.autoencoder.decode(part)
            for part in codes.split(ROWS_AT_ONCE)
        ]
        return self.scale * torch.cat(decoded)

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        self.join(codes)  # complains about wrong codes
        moved = self.decode_expressions(self.whitening.raw(codes[self.deep_factor]))
        person = self.person_displacements(codes[self.linear_factor])
        return self.template_vertices + person + moved

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm; the linear part is computed at those alone.

        Without a gradient, so are the last layers of the other one.
        """
        self.join(codes)
        raw = self.whitening.raw(codes[self.deep_factor])
        if torch.is_grad_enabled():
            moved = self.decode_expressions(raw)[:, vertex_ids]
        else:
            moved = self.scale * self.autoencoder.at(vertex_ids).values(raw)
        basis = self.basis[:, vertex_ids].flatten(1)
        person = (codes[self.linear_factor] @ basis).unflatten(1, (-1, 3))
        return self.template_vertices[vertex_ids] + (self.mean[vertex_ids] + person) + moved

    @torch.no_grad()
    def jacobian_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3 d"]:
        """Derivatives (mm) of some vertices by the codes side by side.

        Those by the linear code are the same for every face; those by the other one are carried
        forward through the layers, at the wanted vertices and what they see of the mesh alone.
        """
        deep = codes[self.deep_factor]
        moved = self.autoencoder.at(vertex_ids).jacobian(self.whitening.raw(deep))
        by_deep = self.scale * (moved @ self.whitening.spread.T)
        by_linear = self.basis[:, vertex_ids].permute(1, 2, 0).expand(len(deep), -1, -1, -1)
        return torch.cat([by_linear, by_deep], dim=3)


def make_coma(
    template_vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    factors: Mapping[str, tuple[str, ...]],
    code_sizes: Mapping[str, int],
    hierarchy: Sequence[CoarseMesh],
    filters: Sequence[int] = (16, 16, 16, 32),
    order: int = 6,
) -> ConvolutionalMeshAutoencoder:
    """A model with the levels of ``hierarchy`` and random weights."""
    made = ConvolutionalMeshAutoencoder(
        template_vertices,
        faces,
        factors,
        code_sizes,
        MeshPyramid.sizes_of(hierarchy),
        filters,
        order,
    )
    made.autoencoder.pyramid.set(hierarchy)
    return made
