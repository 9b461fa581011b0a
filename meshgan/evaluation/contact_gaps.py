"""Lids at a full blink and lips at a press: do they meet after a transfer?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.data.slits import Slit
from meshgan.data.synthetic.expressions import Expressions
from meshgan.data.synthetic.recipes import VISEMES
from meshgan.data.synthetic.source import FaceSource
from meshgan.errors import InputError
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.source_oracle import SHOWN
from meshgan.evaluation.transfer_error import TransferCases
from meshgan.seeding import generator

CONTACTS = {
    "blink": ({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, ("left_lids", "right_lids")),
    "press": (VISEMES["E"], ("lips",)),
}
"""What closes which slits: facial actions, and names of ``data.slits``."""


@dataclass(frozen=True)
class Gaps:
    """How far rims are apart where they should meet, mm.

    Args:
        gap: mean distance, up and down; crossing rims count as negative.
        error: mean absolute difference from the true gap at the same place.
        crossing: mean depth by which rims cross, 0 where they do not.
    """

    gap: Estimate
    error: Estimate
    crossing: Estimate


def contact_cases(
    source: FaceSource, contact: str, cases: int = 200, persons: int = 30, seed: int = 0
) -> TransferCases:
    """Transfers of a full blink or a press between people that no data set holds.

    Args:
        source: the default faces.
        contact: "blink" or "press".
        cases: random pairs of different people.
        persons: to choose from.
        seed: of people and pairs.

    Raises:
        InputError: another contact, or a number is too small.
    """
    if contact not in CONTACTS or cases < 1 or persons < 2:
        raise InputError(
            f"contact: {cases} cases of {contact!r} with {persons} persons; expected 1 or more of "
            f"{' or '.join(CONTACTS)}, with 2 or more"
        )
    recipe, _ = CONTACTS[contact]
    action = Expressions(source.action_names).weights(recipe)
    both = np.stack([np.zeros_like(action), action])
    faces = [source.express(seed, SHOWN + person, both) for person in range(persons)]
    shown = torch.from_numpy(np.stack(faces))
    rng = generator(seed, "contact cases", contact)
    giver = rng.integers(0, persons, cases)
    taker = (giver + rng.integers(1, persons, cases)) % persons
    return TransferCases(shown[giver, 1], shown[giver, 0], shown[taker, 0], shown[taker, 1])


def contact_gaps(
    predicted: Float[Tensor, "N V 3"],
    truth: Float[Tensor, "N V 3"],
    contact: str,
    slits: Mapping[str, Slit],
) -> Gaps:
    """Gaps of faces beside the true ones.

    Args:
        predicted: after a transfer, mm.
        truth: the same people with the same facial actions, mm.
        contact: "blink" or "press".
        slits: of the template (``data.slits.find_slits``).

    Raises:
        InputError: the template does not have the slits.
    """
    names = CONTACTS[contact][1]
    if missing := [name for name in names if name not in slits]:
        raise InputError(f"contact: the template has no {', '.join(missing)} (no iBUG landmarks)")
    found, true = (
        np.concatenate([slits[name].gaps(faces.cpu().numpy()) for name in names], axis=1)
        for faces in (predicted, truth)
    )
    measured = (found, np.abs(found - true), np.maximum(-found, 0))
    return Gaps(*(Estimate.of(torch.from_numpy(values.mean(axis=1))) for values in measured))
