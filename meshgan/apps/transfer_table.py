"""Transfer by several models beside the truth: errors, and lids and lips that should meet."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from meshgan.apps.face_model import FaceModel
from meshgan.data.slits import Slit, find_slits
from meshgan.editing.arkit import source_of
from meshgan.editing.transfer import TransferSettings
from meshgan.errors import InputError
from meshgan.evaluation.contact_gaps import CONTACTS, contact_cases, contact_gaps
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.transfer_error import (
    TransferCases,
    Way,
    model_transfers,
    transfer_cases,
    transfer_errors,
)
from meshgan.models.base import PERSON

log = logging.getLogger(__name__)
PLAIN = TransferSettings(keep_residual=True, carry_motion=False, keep_closed=False)
WAYS = {
    "pair": Way(PLAIN),
    "pair_at_rest": Way(TransferSettings(mode="add", keep_residual=True)),
    "from_rest_model": Way(replace(PLAIN, mode="add"), rest_known=True),
    "from_rest": Way(TransferSettings(mode="add", keep_residual=True), rest_known=True),
}
"""``pair``: two faces, the code exchanged, the residual kept. ``pair_at_rest``: the target is known
to be at rest. ``from_rest_model``: the source at rest is known; the motion is the model's alone.
``from_rest``: the motion is the source's, in the target's proportions; eyes and lips close."""


def transfer_table(
    runs: Sequence[Path],
    cases: int = 200,
    contacts: int = 60,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure transfers between people that no model saw.

    Args:
        runs: of models on the default faces, all of one template.
        cases: random pairs of people with a random expression.
        contacts: pairs with a full blink, and as many with a press.
        seed: of people, expressions and pairs.

    Returns:
        ``rows``: by model and way ``error_mm`` (mean vertex distance), and for "blink" and "press"
        ``gap_mm``, ``gap_error_mm`` and ``crossing_mm``; among them the rows "additive" (the
        source's displacement as it is) and "truth". ``cases``, ``contacts``, ``seed``.

    Raises:
        InputError: no run, or runs of several templates.
    """
    models = {run.name: FaceModel.load(run) for run in runs}
    if not models or len(models) < len(runs):
        raise InputError(f"transfers: {len(models)} different names of runs, expected one each")
    templates = {model.template.topology_hash: model.template for model in models.values()}
    if len(templates) > 1:
        raise InputError(f"transfers: runs of {len(templates)} templates, expected one for all")
    template = next(iter(templates.values()))
    source, slits = source_of(template), find_slits(template)
    asked = {"": transfer_cases(source, cases, seed=seed)}
    asked |= {name: contact_cases(source, name, contacts, seed=seed) for name in CONTACTS}
    rows = []
    for name, shown in asked.items():
        for way, faces in (("additive", shown.additive()), ("truth", shown.truth)):
            rows.append(
                {"model": "", "way": way, "what": name, **_measured(faces, shown, name, slits)}
            )
        for model_name, model in models.items():
            factors = tuple(factor for factor in model.model.factors if factor != PERSON)
            ways = {
                way: replace(how, settings=replace(how.settings, factors=factors))
                for way, how in WAYS.items()
            }
            log.info("transfers by %s: %d", model_name, len(shown.truth))
            moved = model_transfers(model.model, shown, ways, template=model.template)
            rows += [
                {
                    "model": model_name,
                    "way": way,
                    "what": name,
                    **_measured(faces, shown, name, slits),
                }
                for way, faces in moved.items()
            ]
    return {"rows": rows, "cases": cases, "contacts": contacts, "seed": seed}


def _measured(
    faces: Float[Tensor, "N V 3"], cases: TransferCases, contact: str, slits: Mapping[str, Slit]
) -> dict[str, float]:
    error = transfer_errors(faces, cases.truth, {})["all"].mean
    found = _numbers("error_mm", error)
    if contact:
        gaps = contact_gaps(faces, cases.truth, contact, slits)
        found |= _numbers("gap_mm", gaps.gap) | _numbers("gap_error_mm", gaps.error)
        found |= _numbers("crossing_mm", gaps.crossing)
    return found


def _numbers(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: round(estimate.mean, 4), f"{name}_se": round(estimate.standard_error, 4)}
