"""What a fit minimises: weighted distances of points plus a penalty on the unknowns."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshgan.fitting.points import SurfacePoints
from meshgan.models.base import Codes, MeshModel

DERIVATIVES_AT_ONCE = 8_000_000  # 32 MB in float32, a few times over


@runtime_checkable
class PointFunction(Protocol):
    """Unknowns in, points out; one row per face, and rows do not depend on each other.

    ``size``: number p of the unknowns of a face. A pose, a camera or a scale is another function
    around this one, whose unknowns stand after those it wraps. C is 3 for points in space, 2 in
    a picture.
    """

    size: int

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L C"]:
        """Where the points are, mm."""
        ...


@runtime_checkable
class FaceFunction(PointFunction, Protocol):
    """A function that is another one for every face: each begins at a pose of its own."""

    def take(self, rows: Int[Tensor, " b"] | slice) -> "FaceFunction":
        """The function of some of the faces."""
        ...


@runtime_checkable
class Differentiated(Protocol):
    """A function that knows its derivatives."""

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L C p"]:
        """Derivative of every point of a face by every unknown of that face."""
        ...


@runtime_checkable
class DifferentiatedModel(Protocol):
    """A model that knows the derivatives of its vertices by its codes."""

    def jacobian_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3 d"]:
        """Derivatives of some vertices, mm per unit of the codes side by side."""
        ...


class ModelPoints:
    """Points of a model's faces as a function of the codes, side by side."""

    def __init__(self, model: MeshModel, points: SurfacePoints) -> None:
        self.model, self.points = model, points
        self.size = sum(model.code_sizes.values())
        known = getattr(model, "linear_codes", ())
        self.linear = torch.cat(
            [torch.full((size,), name in known) for name, size in model.code_sizes.items()]
        )

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3"]:
        """Where the points are, mm."""
        return self.points.locate(self.model, split_codes(unknowns, self.model))

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3 p"]:
        """Derivative of every point of a face by every code of that face."""
        if isinstance(self.model, DifferentiatedModel):
            return self.points.derive(self.model.jacobian_at, split_codes(unknowns, self.model))
        return differentiate(self, unknowns)


def split_codes(joined: Float[Tensor, "B d"], model: MeshModel) -> Codes:
    """Codes by name from codes side by side, in the order of ``code_sizes``."""
    parts = joined.split(list(model.code_sizes.values()), dim=1)
    return dict(zip(model.code_sizes, parts, strict=True))


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """One problem per row: minimise sum_i w_i rho(|p_i(x) - t_i|^2) + sum_j c_j x_j^2 over x.

    Args:
        function: p, from unknowns to points.
        targets: t (B, L, C), mm; finite, also where the weight is 0.
        weights: w (B, L), 0 or more.
        penalties: c (p,), mm^2 per squared unit of each unknown.
        width_mm: s of rho(e) = e / (1 + e / s^2), which grows no further for points much farther
            off than s; None for rho(e) = e.

    Source: Fernández Abrevaya et al. 2019, Eq. 13 (w = 1, c = lambda, rho(e) = e); Geman and
    McClure 1987 (rho).
    """

    function: PointFunction
    targets: Float[Tensor, "B L C"]
    weights: Float[Tensor, "B L"]
    penalties: Float[Tensor, " p"]
    width_mm: float | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Int[Tensor, " b"] | slice) -> "LeastSquares":
        """Some of the problems."""
        return replace(
            self,
            function=take_faces(self.function, rows),
            targets=self.targets[rows],
            weights=self.weights[rows],
        )

    def trust(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L"]:
        """What rho leaves of the weight of each point, rho'(e): 1 near its target, 0 far off."""
        return self._slope((self.function(unknowns) - self.targets).square().sum(dim=2))

    def _slope(self, squared: Float[Tensor, "B L"]) -> Float[Tensor, "B L"]:
        if self.width_mm is None:
            return torch.ones_like(squared)
        return (1 + squared / self.width_mm**2) ** -2

    def values(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, " B"]:
        """The objective of each row, mm^2."""
        squared = (self.function(unknowns) - self.targets).square().sum(dim=2)
        if self.width_mm is not None:
            squared = squared / (1 + squared / self.width_mm**2)
        return (self.weights * squared).sum(dim=1) + (self.penalties * unknowns.square()).sum(dim=1)

    def gradients(
        self, unknowns: Float[Tensor, "B p"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, "B p"]]:
        """Objective of each row and its gradient."""
        with torch.enable_grad():
            x = unknowns.detach().requires_grad_(True)
            values = self.values(x)
            (gradient,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), gradient

    def curvatures(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B p p"]:
        """Gauss-Newton approximation of half the second derivative, float64.

        With rho: that of the weighted squares which touch the objective here, so that a step is
        one of iteratively reweighted least squares.
        """
        return self.linearised(unknowns)[1]

    def linearised(
        self, unknowns: Float[Tensor, "B p"]
    ) -> tuple[Float[Tensor, "B p"], Float[Tensor, "B p p"]]:
        """Gradient and curvature of each row, both from one Jacobian."""
        each = max(1, DERIVATIVES_AT_ONCE // (self.targets[0].numel() * unknowns.shape[1]))
        parts = [
            self.take(slice(k, k + each))._linearised(unknowns[k : k + each])
            for k in range(0, len(unknowns), each)
        ]
        gradients, curvatures = zip(*parts, strict=True)
        return torch.cat(gradients), torch.cat(curvatures)

    @torch.no_grad()
    def _linearised(self, unknowns: Tensor) -> tuple[Tensor, Tensor]:
        left = self.function(unknowns) - self.targets
        share = (self.weights * self._slope(left.square().sum(dim=2))).sqrt()[..., None]
        left = (left * share).flatten(1, 2)
        rows = (point_jacobian(self.function, unknowns) * share[..., None]).flatten(1, 2)
        gradient = 2 * ((left[:, None] @ rows)[:, 0] + self.penalties * unknowns)
        curvature = (rows.transpose(1, 2) @ rows).double()
        return gradient, curvature + torch.diag(self.penalties.double())


def take_faces(function: PointFunction, rows: Int[Tensor, " b"] | slice) -> PointFunction:
    """The function of some of the faces; most are the same for all."""
    return function.take(rows) if isinstance(function, FaceFunction) else function


def point_jacobian(
    function: PointFunction, unknowns: Float[Tensor, "B p"]
) -> Float[Tensor, "B L C p"]:
    """Derivative of every point of a face by every unknown of that face.

    In closed form where the function knows it, else ``differentiate``.
    """
    if isinstance(function, Differentiated):
        with torch.no_grad():
            return function.jacobian(unknowns)
    return differentiate(function, unknowns)


def differentiate(
    function: PointFunction, unknowns: Float[Tensor, "B p"]
) -> Float[Tensor, "B L C p"]:
    """Derivative of every point of a face by every unknown of that face, by automatic means.

    Forward mode: one directional derivative per unknown, for all faces at once. Functions with a
    step that has none (sparse products) are differentiated twice in reverse instead. Unknowns
    that the function names as ``linear`` have the same derivatives for every face.
    """
    linear = getattr(function, "linear", None)
    if linear is not None and bool(linear.any()) and len(unknowns) > 1:
        # the same for all faces: one of them tells
        everywhere = _columns(function, unknowns[:1], linear).expand(-1, len(unknowns), -1, -1)
        columns = everywhere.new_empty(len(linear), *everywhere.shape[1:])
        columns[linear] = everywhere
        if not bool(linear.all()):
            columns[~linear] = _columns(function, unknowns, ~linear)
    else:
        columns = _columns(function, unknowns, torch.ones(unknowns.shape[1], dtype=torch.bool))
    return columns.detach().permute(1, 2, 3, 0)


def _columns(
    function: PointFunction, unknowns: Float[Tensor, "B p"], which: Bool[Tensor, " p"]
) -> Float[Tensor, "q B L C"]:
    """Derivatives by some of the unknowns."""
    identity = torch.eye(unknowns.shape[1], dtype=unknowns.dtype, device=unknowns.device)
    directions = identity[which.to(unknowns.device)]

    def along(direction: Tensor) -> Tensor:
        return torch.func.jvp(function, (unknowns,), (direction.expand_as(unknowns),))[1]

    try:
        return torch.func.vmap(along)(directions)
    except (NotImplementedError, RuntimeError):
        return _columns_in_reverse(function, unknowns, directions)


def _columns_in_reverse(function: PointFunction, unknowns: Tensor, directions: Tensor) -> Tensor:
    """J v as the derivative by u of u^T J v."""
    with torch.enable_grad():
        x = unknowns.detach().requires_grad_(True)
        points = function(x)
        u = torch.zeros_like(points, requires_grad=True)
        (pulled,) = torch.autograd.grad(points, x, u, create_graph=True)
        columns = [
            torch.autograd.grad(pulled, u, direction.expand_as(x), retain_graph=True)[0]
            for direction in directions
        ]
    return torch.stack(columns)
