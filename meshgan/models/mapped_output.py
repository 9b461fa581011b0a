"""The generator's output layer as the losses see it: images and one energy, never whole meshes.

The discriminator looks at M(W h + b) and the regulariser at L(W h + b). Both are linear, so

- while the discriminator learns, M W and M b are kept as one small layer and rebuilt once per
  generator step: identical results at 3n^2 instead of 3V outputs;
- while the generator learns, M and L are stacked in one sparse matrix S, and a generator step
  is two sparse and three dense products with no intermediate mesh layout changes.
"""

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from meshgan.errors import ShapeError
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.geometry_map import GeometryMap


class MappedOutput(nn.Module):
    """Images and Laplacian energy of a generator's output layer.

    Args:
        generator: whose output layer (weight (3V, H), bias (3V,)) is mapped; not a submodule.
        geometry_map: mesh to image.
        regulariser: sparse (V, V) operator P, such that ||P d||^2 is the energy of the
            displacement d in units of ``generator.scale``; see ``laplacian_regulariser``.
        precision: dtype of the dense products; parameters and gradients stay float32.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.1 (M) and Eq. 12 (energy).
    """

    def __init__(
        self,
        generator: DecoupledGenerator,
        geometry_map: GeometryMap,
        regulariser: sp.csr_matrix,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if generator.vertex_count != geometry_map.vertex_count:
            raise ShapeError(
                f"geometry map of {geometry_map.vertex_count:,} vertices, "
                f"but the generator has {generator.vertex_count:,}"
            )
        self._output = (generator.output,)  # in a tuple: a reference, not a submodule
        self.map = geometry_map
        self.size_px = geometry_map.size_px
        self.precision = precision
        stacked = sp.csr_matrix(sp.vstack([mapping_matrix(geometry_map), regulariser]))
        for name, matrix in (("forward", stacked), ("backward", sp.csr_matrix(stacked.T))):
            for part, tensor in sparse_parts(matrix).items():
                self.register_buffer(f"{name}_{part}", tensor, persistent=False)
        self.shape: tuple[int, int] = stacked.shape
        self._memory: dict[str, Tensor] = {}
        self._fused: tuple[Tensor, Tensor] | None = None

    @property
    def output(self) -> nn.Linear:
        """The generator's output layer."""
        return self._output[0]

    @torch.no_grad()
    def refresh(self) -> None:
        """Rebuild the fused layer M W, M b; to be called after every generator step."""
        fused = self.map.fuse(self.output.weight, self.output.bias, out=self._fused)
        self._fused = fused
        if self.precision != torch.float32:
            self._cast("fused_weight", fused[0])
            self._cast("weight", self.output.weight)

    @torch.no_grad()
    def images(self, hidden: Float[Tensor, "B H"]) -> Float[Tensor, "B 3 n n"]:
        """Images of the current faces, for the discriminator's steps: no gradient."""
        if self._fused is None:
            self.refresh()
        weight, bias = self._fused  # pyright: ignore[reportGeneralTypeIssues]
        if self.precision != torch.float32:
            weight = self._memory["fused_weight"]
            product = nn.functional.linear(hidden.to(self.precision), weight).float() + bias
        else:
            product = nn.functional.linear(hidden, weight, bias)
        return product.view(-1, 3, self.size_px, self.size_px)

    def images_and_energy(
        self, hidden: Float[Tensor, "B H"]
    ) -> tuple[Float[Tensor, "B 3 n n"], Float[Tensor, ""]]:
        """Images and mean energy, differentiable in ``hidden`` and in the output layer."""
        with torch.autocast(hidden.device.type, enabled=False):  # precision is chosen here
            return _MapAndRegularise.apply(hidden, self.output.weight, self.output.bias, self)

    @torch.no_grad()
    def energy(self, meshes: Float[Tensor, "B V 3"]) -> float:
        """Mean energy of displacements in units of ``generator.scale``, in float32."""
        columns = meshes.float().permute(1, 0, 2).reshape(meshes.shape[1], -1)
        seen = torch.empty(self.shape[0], columns.shape[1], device=columns.device)
        residual = sparse_product(self.sparse("forward"), columns, seen)[self.size_px**2 :]
        return float(residual.square().sum() / len(meshes))

    def sparse(self, name: str) -> Tensor:
        """S (``forward``) or its transpose (``backward``) as a sparse CSR tensor."""
        rows, columns = self.shape if name == "forward" else self.shape[::-1]
        return torch.sparse_csr_tensor(
            getattr(self, f"{name}_starts"),
            getattr(self, f"{name}_columns"),
            getattr(self, f"{name}_values"),
            (rows, columns),
            check_invariants=False,
        )

    def weight(self) -> Tensor:
        """The output layer's weight in the precision of the products."""
        if self.precision == torch.float32:
            return self.output.weight.detach()
        if "weight" not in self._memory:
            self._cast("weight", self.output.weight)
        return self._memory["weight"]

    def memory(self, name: str, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Memory that is used again at each step: touching fresh pages can cost more than the work.

        Autograd notices if a later forward pass overwrites what a backward pass still needs.
        """
        held = self._memory.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            held = torch.empty(shape, dtype=dtype, device=self.output.weight.device)
            self._memory[name] = held
        return held

    def _cast(self, name: str, source: Tensor) -> None:
        self.memory(name, *source.shape, dtype=self.precision).copy_(source.detach())


class _MapAndRegularise(torch.autograd.Function):
    """Meshes are stored vertex by vertex and face by face, (3V, B): what sparse products want."""

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor, owner: MappedOutput):
        batch, pixels, low = len(hidden), owner.size_px**2, owner.precision
        meshes = owner.memory("meshes", len(weight), batch)
        if low == torch.float32:
            torch.mm(weight, hidden.T, out=meshes)
        else:
            products = owner.memory("low meshes", len(weight), batch, dtype=low)
            meshes.copy_(torch.mm(owner.weight(), hidden.T.to(low), out=products))
        meshes += bias.unsqueeze(1)
        seen = owner.memory("seen", owner.shape[0], 3 * batch)
        sparse_product(owner.sparse("forward"), meshes.view(-1, 3 * batch), seen)
        residual = seen[pixels:]
        ctx.owner = owner
        ctx.save_for_backward(hidden, residual)
        images = seen[:pixels].view(pixels, 3, batch).permute(2, 1, 0).contiguous()
        energy = torch.linalg.vector_norm(residual).square() / batch
        return images.view(batch, 3, owner.size_px, owner.size_px), energy

    @staticmethod
    def backward(ctx, images_gradient: Tensor, energy_gradient: Tensor):
        owner: MappedOutput = ctx.owner
        hidden, residual = ctx.saved_tensors
        batch, pixels, low = len(hidden), owner.size_px**2, owner.precision
        weight = owner.output.weight
        seen = owner.memory("seen gradient", owner.shape[0], 3 * batch)
        seen[:pixels].view(pixels, 3, batch).copy_(
            images_gradient.reshape(batch, 3, pixels).permute(2, 1, 0)
        )
        torch.mul(residual, 2 * energy_gradient / batch, out=seen[pixels:])
        meshes = owner.memory("mesh gradient", len(weight), batch)
        sparse_product(owner.sparse("backward"), seen, meshes.view(-1, 3 * batch))
        bias_gradient = meshes.sum(dim=1)
        fresh = weight.grad is not None  # then the memory below is in use
        gradient = torch.empty_like(weight) if fresh else owner.memory("gradient", *weight.shape)
        if low == torch.float32:
            torch.mm(meshes, hidden, out=gradient)
        else:
            meshes = owner.memory("low meshes", len(weight), batch, dtype=low).copy_(meshes)
            products = owner.memory("low gradient", *weight.shape, dtype=low)
            gradient.copy_(torch.mm(meshes, hidden.to(low), out=products))
        hidden_gradient = torch.mm(meshes.T, owner.weight()).to(hidden.dtype)
        # a new tensor object on the same memory: autograd keeps it as .grad without a copy
        return hidden_gradient, gradient.detach(), bias_gradient, None


def sparse_product(matrix: Tensor, columns: Tensor, out: Tensor) -> Tensor:
    """Matrix @ columns into ``out``, without the copies that ``matrix @ columns`` makes."""
    return torch.addmm(out, matrix, columns, beta=0, out=out)


def laplacian_regulariser(
    laplacian: sp.csr_matrix, areas: np.ndarray, scale_mm: float, length_mm: float
) -> sp.csr_matrix:
    """The operator P of the mesh regulariser: ||P d||^2 = mean over the area of |l^2 Delta d|^2.

    Args:
        laplacian: cotangent Laplacian (V, V) of the template.
        areas: area of each vertex (V,), mm^2: the diagonal of the mass matrix.
        scale_mm: unit of d in mm; the result is in mm^2 for l = 1 mm.
        length_mm: l, which makes l^2 Delta d a length; the same for any number of vertices.

    Source: Fernández Abrevaya et al. 2019, Eq. 12, ||L v||^2.
    Differs: the paper's sum depends on the number of vertices and their spacing. Here the
    Laplacian is taken per area and averaged over the surface, so that one weight means the same
    for any template.
    """
    per_vertex = length_mm**2 * scale_mm / np.sqrt(areas * areas.sum())
    return sp.csr_matrix(sp.diags(per_vertex) @ laplacian)


def mapping_matrix(geometry_map: GeometryMap) -> sp.csr_matrix:
    """M (n*n, V) of a geometry map, as a SciPy matrix."""
    corners = geometry_map.corners.reshape(-1).cpu().numpy()
    weights = geometry_map.weights.reshape(-1).double().cpu().numpy()
    rows = np.repeat(np.arange(geometry_map.size_px**2), 3)
    shape = (geometry_map.size_px**2, geometry_map.vertex_count)
    return sp.csr_matrix((weights, (rows, corners)), shape=shape)


def sparse_parts(matrix: sp.csr_matrix) -> dict[str, Tensor]:
    """Row starts, columns (int32: five times faster than int64 on a CPU) and float32 values."""
    return {
        "starts": torch.from_numpy(matrix.indptr.astype(np.int32)),
        "columns": torch.from_numpy(matrix.indices.astype(np.int32)),
        "values": torch.from_numpy(matrix.data.astype(np.float32)),
    }
