"""Lids and lips meet instead of passing through each other."""

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.membranes import chain_parameter
from meshgan.data.synthetic.patch import ControlMesh

RINGS_THAT_TOUCH = 3
LIP_FALLOFF = (1.0, 1.0, 1.0, 0.8, 0.55, 0.3, 0.1)
LIP_STATIONS, LIP_SHARE_LOWER, LIP_BULGE = 21, 0.5, 0.25
LID_FALLOFF = (1.0, 1.0, 1.0, 0.6, 0.3)
LID_STATIONS, LID_SHARE_LOWER = 15, 0.25


class Contact:
    """Pushes an upper and a lower chain apart, up and down, where they cross.

    Both chains run along the same concentric rings and end in the same two corners. How far they
    overlap is measured at stations between the corners, as the largest over the innermost rings,
    smoothed along the chain, and given back with a falloff over the rings outside.

    Args:
        rings: vertex ids (ring, n), the innermost first.
        reference: positions of the skin, for arc lengths, mm.
        upper: positions in a ring of the upper chain, from corner to corner.
        lower: the same of the lower chain, in the same direction.
        stations: where the overlap is measured.
        falloff: share of the push that each ring takes.
        share_lower: part of the push that the lower chain takes; the upper takes the rest.
        bulge: how far pushed vertices come forward, per mm of overlap.
    """

    def __init__(
        self,
        rings: Int[np.ndarray, "rings n"],
        reference: Float[np.ndarray, "S 3"],
        upper: tuple[int, ...],
        lower: tuple[int, ...],
        *,
        stations: int,
        falloff: tuple[float, ...],
        share_lower: float,
        bulge: float = 0.0,
    ) -> None:
        at = np.linspace(0, 1, stations + 2)
        self._chains = []
        for chain, share in ((upper, 1 - share_lower), (lower, -share_lower)):
            ids = rings[:, list(chain)]
            along = chain_parameter(reference[ids[0]])
            to_stations = _interpolation(along, at[1:-1]).astype(np.float32)
            to_chain = _interpolation(at, along).astype(np.float32)
            self._chains.append((ids, to_stations, to_chain, share))
        self._falloff = falloff
        self._bulge = bulge

    def overlap(self, points: Float[np.ndarray, "b S 3"]) -> Float[np.ndarray, "b s"]:
        """How far the chains cross at each station, mm; 0 where they do not."""
        (upper, to_upper, _, _), (lower, to_lower, _, _) = self._chains
        touching = range(min(RINGS_THAT_TOUCH, len(self._falloff)))
        high = np.min([points[:, upper[ring], 1] @ to_upper.T for ring in touching], axis=0)
        low = np.max([points[:, lower[ring], 1] @ to_lower.T for ring in touching], axis=0)
        return np.maximum(0, low - high)

    def resolve(self, points: Float[np.ndarray, "b S 3"]) -> Float[np.ndarray, "b S 3"]:
        """Points with the crossing taken out; the same array where nothing crosses."""
        push = _spread(self.overlap(points))
        crossing = np.flatnonzero(push.any(axis=1))
        if not len(crossing):
            return points
        resolved = points.copy()
        for ids, _, to_chain, share in self._chains:
            amount = push[crossing] @ to_chain.T
            for ring, falloff in enumerate(self._falloff):
                here = np.ix_(crossing, ids[ring])
                resolved[(*here, 1)] += share * falloff * amount
                if ring >= 2:  # the rings inside the lips have nowhere to bulge to
                    resolved[(*here, 2)] += self._bulge * falloff * amount
        return resolved


def _interpolation(places: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Matrix that interpolates values given at ascending ``places`` linearly to ``at``."""
    return np.stack([np.interp(at, places, row) for row in np.eye(len(places))], axis=1)


def _spread(overlap: np.ndarray) -> np.ndarray:
    """Zero at both corners, and never steeper than a (1, 2, 1)/4 average."""
    padded = np.pad(overlap, ((0, 0), (1, 1)))
    average = padded.copy()
    average[:, 1:-1] = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    average[:, [0, -1]] = 0
    return np.maximum(padded, average)


def lip_contact(control: ControlMesh, reference: Float[np.ndarray, "S 3"]) -> Contact:
    """Contact of the lips: both give way by half and bulge forward a little."""
    return Contact(
        control.mouth_rings,
        reference,
        hm08.UPPER_LIP,
        hm08.LOWER_LIP,
        stations=LIP_STATIONS,
        falloff=LIP_FALLOFF,
        share_lower=LIP_SHARE_LOWER,
        bulge=LIP_BULGE,
    )


def lid_contacts(control: ControlMesh, reference: Float[np.ndarray, "S 3"]) -> list[Contact]:
    """Contact of the left and the right eye's lids: mostly the upper lid stops."""
    return [
        Contact(
            rings,
            reference,
            hm08.UPPER_LID,
            hm08.LOWER_LID,
            stations=LID_STATIONS,
            falloff=LID_FALLOFF,
            share_lower=LID_SHARE_LOWER,
        )
        for rings in control.eye_rings
    ]
