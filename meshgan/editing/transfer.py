"""Transfer: one person's expression, or any other factor, on another person's face."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.editing.arithmetic import (
    check_factors,
    common_count,
    resting_codes,
    row_count,
    spread,
)
from meshgan.editing.motion import Motion, SkinMotion
from meshgan.errors import InputError
from meshgan.fitting.details import Details, details_of
from meshgan.fitting.fit import Fit
from meshgan.fitting.meshes import fit_meshes
from meshgan.fitting.motions import fit_motion
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import NOISE, PERSON, Codes, MeshModel

MODES = ("replace", "add")
LAMBDA, LAMBDA_WITH_DETAILS = 10.0, 3.0  # mm^2; the GAN's best on pairs of validation people
FaceLike = TriMesh | Sequence[TriMesh] | Mapping[str, Tensor]
"""A mesh, several, or codes by name (B, d)."""


@runtime_checkable
class FittedFaces(Protocol):
    """What a fit returns, for example ``fitting.codes.Fit``."""

    @property
    def codes(self) -> Codes:
        """By name (B, d)."""
        ...


FitFaces = Callable[[MeshModel, Tensor], FittedFaces]
"""Finds the codes of whole meshes (B, V, 3), for example ``fitting.meshes.fit_meshes``."""


@dataclass(frozen=True)
class TransferSettings:
    """What is transferred, and how."""

    mode: str = "replace"
    """replace: the source's code takes the place of the target's; add: it is added to it."""
    factors: tuple[str, ...] = ("expression",)
    """Which codes come from the source."""
    amount: float = 1.0
    """Share of the change: 0 leaves the target's codes as they are."""
    keep_residual: bool = False
    """Of meshes: keep what the model cannot show of the target, turned with the skin."""
    carry_motion: bool = True
    """Of meshes, with ``keep_residual``: give the result what the model lacks of the source's
    motion, in the target's proportions."""
    keep_closed: bool = True
    """Of meshes, with ``keep_residual``: eyes and lips close as far as the source's, as a share of
    how open they are at rest. Needs a template with landmarks."""
    regularisation: float | None = None
    """Lambda of the fits, mm^2 (sum over all vertices) per squared unit of code; None: 3 where
    the model knows how people differ beyond its codes, else 10 (``usual_fit``)."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """Faces with someone else's expression.

    Args:
        vertices: (B, V, 3), mm.
        codes: of the results, by name (B, d).
        fit_rms_mm: of "source" and "target": how far their codes are from the meshes, one per
            mesh; empty where codes were given.
    """

    vertices: Float[Tensor, "B V 3"]
    codes: Codes
    fit_rms_mm: Mapping[str, Float[Tensor, " _"]]


@dataclass(frozen=True, eq=False)
class Performer:
    """A face that takes part in a transfer.

    Args:
        codes: by name (B, d).
        vertices: the mesh that the codes were fitted to (B, V, 3), mm; None where only codes are
            known.
        rms_mm: how far the codes are from the meshes, one per mesh.
    """

    codes: Codes
    vertices: Float[Tensor, "B V 3"] | None = None
    rms_mm: Float[Tensor, " _"] | None = None

    def __len__(self) -> int:
        return row_count(self.codes)

    def spread(self, count: int) -> "Performer":
        """One row for all, or as it is."""
        vertices = None if self.vertices is None else self.vertices.expand(count, -1, -1)
        return Performer(spread(self.codes, count), vertices, self.rms_mm)


def transfer_codes(
    source: Codes,
    target: Codes,
    factors: Sequence[str] = ("expression",),
    mode: str = "replace",
    rest: Codes | None = None,
    neutral: Codes | None = None,
    amount: float = 1.0,
) -> Codes:
    """Codes of the target with factors of the source.

    replace: G(z_id^t, z_exp^s, z_noise^t); add: G(z_id^t, z_exp^s + z_exp^t, z_noise^t). Where the
    source's codes at rest are known, the change from them stands for z_exp^s, and is added to the
    neutral code where the target's is replaced: what a fit mistakes for an expression in the
    source's features is then left out.

    Args:
        source: by name (B, d).
        target: by name (B, d); any argument may be one row for all.
        factors: which codes come from the source.
        mode: see above.
        rest: of the source person at rest.
        neutral: codes of a face at rest, by factor (1, d); zeros where not given.
        amount: share of the change.

    Raises:
        InputError: an unknown factor or mode.
        ShapeError: numbers of faces that do not go together.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.5.
    Differs: relative to the source at rest where that is known.
    """
    if missing := [name for name in factors if name not in target or name not in source]:
        raise InputError(
            f"transfer: the codes have no factor {', '.join(missing)}; they have "
            f"{', '.join(target)}"
        )
    if mode not in MODES:
        raise InputError(f"transfer: mode {mode!r}, expected {' or '.join(MODES)}")
    given = [codes for codes in (source, target, rest) if codes is not None]
    count = common_count([row_count(codes) for codes in given])
    result = spread(target, count)
    for name in factors:
        own, shown = result[name], source[name].to(result[name])
        if rest is not None:
            shown = shown - rest[name].to(own)
            if mode == "replace" and neutral is not None and name in neutral:
                shown = shown + neutral[name].to(own)
        wanted = own + shown if mode == "add" else shown
        result[name] = torch.lerp(own, wanted, amount)  # exact at both ends
    return result


def transfer_meshes(
    model: MeshModel,
    source: Float[Tensor, "S V 3"],
    target: Float[Tensor, "T V 3"],
    settings: TransferSettings = TransferSettings(),
    rest: Float[Tensor, "R V 3"] | None = None,
    fit: FitFaces | None = None,
    skin: SkinMotion | None = None,
) -> Transfer:
    """Fit two faces, exchange codes, decode: ``transfer_faces`` of meshes.

    Args:
        model: with the factors to transfer.
        source: meshes on the model's topology, in its pose, mm; one, or one per target.
        target: the same; one, or one per source.
        settings: what is transferred, and how.
        rest: the source person at rest, where known.
        fit: finds codes of meshes; ``fit_meshes`` with the regularisation of the settings if None.
        skin: of the model's surface; made from its template if None.

    Raises:
        InputError: an unknown factor or mode.
        ShapeError: meshes of another topology, or numbers of faces that do not go together.
    """
    check_factors(model, settings.factors)
    fit = fit or usual_fit(settings)
    giver, taker = (fit_performer(model, mesh, fit) for mesh in (source, target))
    calm = None if rest is None else fit_performer(model, rest, fit)
    return transfer_faces(model, giver, taker, settings, calm, skin)


def usual_fit(settings: TransferSettings) -> FitFaces:
    """``fit_meshes`` with the regularisation of some settings, letting details pass.

    Lambda is alike for all codes. Three times as much for the exchanged ones makes random
    expressions from two faces a little more exact with linear models, but leaves strong ones
    short: eyes stay open.
    """

    def fit(model: MeshModel, vertices: Float[Tensor, "B V 3"]) -> Fit:
        directions = details_of(model)
        usual = LAMBDA if directions is None else LAMBDA_WITH_DETAILS
        chosen = usual if settings.regularisation is None else settings.regularisation
        details = None if directions is None else Details(directions, chosen)
        return fit_meshes(model, vertices, chosen, details=details)

    return fit


def fit_performer(
    model: MeshModel, vertices: Float[Tensor, "B V 3"], fit: FitFaces = fit_meshes
) -> Performer:
    """Meshes (mm, on the model's topology, in its pose) with their codes."""
    vertices = vertices.to(model.template_vertices)
    with torch.enable_grad():
        codes = fit(model, vertices).codes
    with torch.no_grad():
        off = model.decode(codes) - vertices
    return Performer(codes, vertices, off.square().sum(dim=2).mean(dim=1).sqrt())


@torch.no_grad()
def transfer_faces(
    model: MeshModel,
    source: Performer,
    target: Performer,
    settings: TransferSettings = TransferSettings(),
    rest: Performer | None = None,
    skin: SkinMotion | None = None,
) -> Transfer:
    """Exchange codes and, of meshes, keep what the model cannot show.

    With ``keep_residual``, the target's own mesh is moved: by G(z_id^t, z_exp^s) -
    G(z_id^t, z_exp^0), z_exp^0 of the source at rest, or of the label of rest where that is not
    known; and what the model cannot show of the target turns with the skin under it. Without a
    source at rest that is G(z') + (x_t - G(z_t)) in the mode "replace"; in the mode "add" the
    target is taken to be at rest, and z_exp^0 lies half way between the label's code and its own.
    ``carry_motion`` adds what the model's motion lacks (``SkinMotion.lacking``).

    Where meshes of the source and of it at rest are known, it is one person whose motion is seen:
    the source's codes are those of ``fitting.motions.fit_motion``, and its noise code, which then
    holds motion too, goes with the others.

    Args:
        model: with the factors to transfer.
        source: one face, or one per target.
        target: one face, or one per source.
        settings: what is transferred, and how.
        rest: the source person at rest, where known; the change from there is transferred.
        skin: of the model's surface; made from its template if None.

    Raises:
        InputError: an unknown factor or mode.
        ShapeError: numbers of faces that do not go together.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.5 (exchange of codes).
    Differs: residuals and the source's motion are kept on request.
    """
    check_factors(model, settings.factors)
    count = common_count([len(one) for one in (source, target, rest) if one is not None])
    giver, taker = source.spread(count), target.spread(count)
    calm = None if rest is None else rest.spread(count)
    neutral = spread(resting_codes(model, settings.factors), count)
    start, factors = (None if calm is None else calm.codes), settings.factors
    if calm is not None and PERSON in model.factors and PERSON not in factors:
        if giver.vertices is not None and calm.vertices is not None:
            seen = giver.vertices - calm.vertices
            with torch.enable_grad():
                giver = replace(giver, codes=fit_motion(model, calm.codes, seen, (PERSON,)))
            if NOISE in model.code_sizes and {*factors, PERSON} >= {*model.factors}:
                factors = (*factors, NOISE)
    codes = transfer_codes(
        giver.codes, taker.codes, factors, settings.mode, start, neutral, settings.amount
    )
    if settings.keep_residual and taker.vertices is not None:
        skin = skin or SkinMotion.of(model)
        moved = _kept(model, giver, taker, calm, neutral, replace(settings, factors=factors), skin)
    else:
        moved = model.decode(codes)
    named = {"source": source.rms_mm, "target": target.rms_mm}
    return Transfer(moved, codes, {k: rms for k, rms in named.items() if rms is not None})


def _kept(
    model: MeshModel,
    giver: Performer,
    taker: Performer,
    calm: Performer | None,
    neutral: Codes,
    settings: TransferSettings,
    skin: SkinMotion,
) -> Float[Tensor, "B V 3"]:
    """The target's own mesh, moved."""
    assert taker.vertices is not None  # asked for by the caller
    factors = settings.factors
    # Where nothing says what rest is, the target's own code does.
    at_rest = {name: neutral.get(name, taker.codes[name]) for name in factors}
    start = at_rest if calm is None else {name: calm.codes[name] for name in factors}
    if calm is None and settings.mode == "add":  # the target is at rest: its code says so, too
        start = {name: 0.5 * (code + taker.codes[name]) for name, code in at_rest.items()}
    before = model.decode(taker.codes)
    base = taker.vertices
    if settings.mode == "replace":
        base = base - before + model.decode({**taker.codes, **at_rest})
    end = {name: giver.codes[name] for name in factors}
    motion = _motion(model, taker.codes, start, end)
    known = neutral.keys() >= {*factors} - {NOISE}  # what rest is
    seen = _source_motion(model, giver, calm, start, end) if known else None
    if seen is not None and settings.carry_motion:
        motion = motion + skin.lacking(seen, base, motion)
    whole = base + motion
    if seen is not None and settings.keep_closed:
        whole = skin.closed(whole, base, seen.rest + seen.seen, seen.rest)
    moved = taker.vertices + settings.amount * (whole - taker.vertices)
    detail = taker.vertices - before
    return moved + skin.turned(detail, before, moved - detail) - detail


def _motion(model: MeshModel, person: Codes, start: Codes, end: Codes) -> Float[Tensor, "B V 3"]:
    """How a model moves a person between two settings of some codes, mm."""
    return model.decode({**person, **end}) - model.decode({**person, **start})


def _source_motion(
    model: MeshModel, giver: Performer, calm: Performer | None, start: Codes, end: Codes
) -> Motion:
    """How the source has moved: seen, if both meshes are known, and as the model shows it."""
    person = giver.codes
    if calm is not None:  # it is the same person: both fits together know better who
        person = {name: 0.5 * (code + calm.codes[name].to(code)) for name, code in person.items()}
    modelled = _motion(model, person, start, end)
    if giver.vertices is None:
        return Motion(model.decode({**person, **start}), modelled, modelled)
    if calm is None or calm.vertices is None:
        return Motion(giver.vertices - modelled, modelled, modelled)
    return Motion(calm.vertices, giver.vertices - calm.vertices, modelled)
