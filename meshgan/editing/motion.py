"""What a model cannot show of a face or of its motion, carried along with the skin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.data.template import Template
from meshgan.editing.closing import SlitClosing, slit_closings
from meshgan.geometry.alignment import procrustes, robust_procrustes
from meshgan.geometry.carrying import SurfaceCarrier
from meshgan.models.base import MeshModel

STEADY_MM, STEADY_ROUNDS = 1.0, 15  # skin that moves farther does not tell where the head is
LEARNED_SHARE = 0.5  # of the difference that a model sees between two people's motions


@dataclass(frozen=True, eq=False)
class Motion:
    """A person's face on its way from rest.

    Args:
        rest: the person at rest (B, V, 3), mm.
        seen: what moved, observed (B, V, 3), mm.
        modelled: what a model shows of it (B, V, 3), mm.
    """

    rest: Float[Tensor, "B V 3"]
    seen: Float[Tensor, "B V 3"]
    modelled: Float[Tensor, "B V 3"]


class SkinMotion:
    """Carries details and motions over the surface of one model.

    Args:
        carrier: of that surface.
        slits: of that surface: eyes and lips.
    """

    def __init__(self, carrier: SurfaceCarrier, slits: Sequence[SlitClosing] = ()) -> None:
        self._carrier, self._slits = carrier, tuple(slits)

    @classmethod
    def of(cls, model: MeshModel, template: Template | None = None) -> "SkinMotion":
        """For the surface of a model, measured on its template.

        Args:
            model: whose surface.
            template: with landmarks, where they are known: then lids and lips close as they should.
        """
        vertices = model.template_vertices.cpu().double().numpy()
        carrier = SurfaceCarrier(vertices, model.faces.cpu().numpy())
        return cls(carrier, () if template is None else slit_closings(template))

    def closed(
        self,
        moved: Float[Tensor, "B V 3"],
        target_rest: Float[Tensor, "B V 3"],
        source: Float[Tensor, "B V 3"],
        source_rest: Float[Tensor, "B V 3"],
    ) -> Float[Tensor, "B V 3"]:
        """Faces whose eyes and lips are as far closed as the source's (``SlitClosing.keep``)."""
        arrays = [part.cpu().double().numpy() for part in (moved, target_rest, source, source_rest)]
        for slit in self._slits:
            arrays[0] = slit.keep(*arrays)
        return torch.from_numpy(arrays[0]).to(moved)

    def turned(
        self,
        details: Float[Tensor, "B V 3"],
        before: Float[Tensor, "B V 3"],
        after: Float[Tensor, "B V 3"],
    ) -> Float[Tensor, "B V 3"]:
        """Small displacements from a surface after that has moved: turned with it."""
        arrays = (part.cpu().double().numpy() for part in (details, before, after))
        return torch.from_numpy(self._carrier.between_poses(*arrays)).to(details)

    def lacking(
        self, source: Motion, target_rest: Float[Tensor, "B V 3"], modelled: Float[Tensor, "B V 3"]
    ) -> Float[Tensor, "B V 3"]:
        """What a model's motion of a target lacks of a source's: J m - m_t + a (m_t - m_s).

        J m is the source's motion in the target's proportions, which needs no model; J acts in the
        frame of the head. Where the model's motions of the two people differ, m_t - m_s, it has
        learned that people move differently in the same expression; a share a of that is kept.

        Args:
            source: m and m_s.
            target_rest: the target at rest, mm.
            modelled: m_t, which the target has already.
        """
        triples = (part.cpu().double().numpy() for part in (source.seen, source.rest, target_rest))
        carried = np.stack([self._carried(*triple) for triple in zip(*triples, strict=True)])
        carried = torch.from_numpy(carried).to(modelled)
        return carried - modelled + LEARNED_SHARE * (modelled - source.modelled)

    def _carried(
        self,
        seen: Float[np.ndarray, "V 3"],
        rest: Float[np.ndarray, "V 3"],
        own_rest: Float[np.ndarray, "V 3"],
    ) -> Float[np.ndarray, "V 3"]:
        """A motion in another person's proportions; that of the whole head stays as it is.

        The skin's motion is seen from the part of the head that does not move. Where the whole
        face, on average, has moved as well, which alignment of faces to each other does, the other
        face moves as far: that has nothing to do with proportions.
        """
        moved = rest + seen
        whole = procrustes(moved, rest)
        steady = robust_procrustes(moved, rest, STEADY_MM, rounds=STEADY_ROUNDS)
        skin = (steady.apply(moved) - rest)[None]
        reached = own_rest + self._carrier.between_people(skin, rest, own_rest)[0]
        level = procrustes(reached, own_rest)
        return whole.inverse().apply(level.apply(reached)) - own_rest
