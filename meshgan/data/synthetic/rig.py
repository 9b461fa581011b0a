"""From facial actions to a posed control mesh; each non-linear term has a switch."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float
from scipy import sparse

from meshgan.data.synthetic.bases import HELPERS, JAW, LEFT_EYE, LEFT_POLE, FaceBases
from meshgan.data.synthetic.blink import BLINKS, BlinkFit
from meshgan.data.synthetic.contact import lid_contacts, lip_contact
from meshgan.data.synthetic.jaw import JawHinge
from meshgan.data.synthetic.openings import Openings
from meshgan.data.synthetic.volume import SoftVolume
from meshgan.geometry.skin import Skin, apply_matrices, apply_rows
from meshgan.geometry.transport import Transport


@dataclass(frozen=True)
class Terms:
    """Which non-linear parts of the face model are on; with all off, it is additive."""

    transport: bool = True
    """Displacements follow the person's proportions."""
    jaw_hinge: bool = True
    """The jaw opens on an arc."""
    lid_contact: bool = True
    """A full blink just closes this person's eyes; lids never cross."""
    lip_contact: bool = True
    """Lips never cross."""
    soft_volume: bool = True
    """Squeezed skin bulges."""
    membranes: bool = True
    """Eyes are round; an open mouth is deep."""

    @classmethod
    def none(cls) -> "Terms":
        """All off: linear blend shapes."""
        return cls(**{field.name: False for field in fields(cls)})


def symmetric_actions(bases: FaceBases) -> Float[np.ndarray, "A S 3"]:
    """The actions on the skin, each the mean of itself and its partner's reflection, float32.

    As authored, left and right differ by up to a millimetre; people have an imbalance of their own.
    """
    action = bases.action[:, : bases.skin_count]
    position = {name: k for k, name in enumerate(bases.action_names)}
    partner = [position[_other_side(name)] for name in bases.action_names]
    mirror = bases.control.mirror[: bases.skin_count]
    reflected = action[partner][:, mirror] * np.array([-1, 1, 1], dtype=np.float32)
    return np.float32(0.5) * (action + reflected)


def _other_side(name: str) -> str:
    for here, there in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(here):
            return name.removesuffix(here) + there
    return name


class FaceRig:
    """The moving face, for any person.

    Args:
        bases: shapes and actions.
        terms: non-linear parts that are on.
    """

    def __init__(self, bases: FaceBases, terms: Terms = Terms()) -> None:
        self.terms, self.control = terms, bases.control
        count = bases.skin_count
        self.skin_count = count
        self.action_index = {name: k for k, name in enumerate(bases.action_names)}
        self.skin = Skin(count, bases.control.skin_faces)
        reference = bases.reference()
        self.action = symmetric_actions(bases)
        opening = self.action_index["jawOpen"]
        joint = reference[count + JAW]
        self.jaw = JawHinge(self.skin, reference[:count], self.action[opening], joint)
        if terms.jaw_hinge:
            self.action[opening] = self.jaw.remainder
        self.transport = Transport(self.skin, reference[:count])
        self.lips = lip_contact(bases.control, reference[:count])
        self.lids = lid_contacts(bases.control, reference[:count])
        self.blinks = BlinkFit(bases.control)
        self.volume = SoftVolume(self.skin, bases.control)
        self.openings = Openings(bases.control)
        self._membrane = sparse.csr_matrix(bases.control.membrane, dtype=np.float32)

    def person(self, neutral: Float[np.ndarray, "P 3"], tissue: float = 0.5) -> "PersonRig":
        """The rig of one person: neutral skin and helpers (mm), softness of the skin."""
        return PersonRig(self, neutral.astype(np.float32), tissue)

    def with_membranes(self, skin: Float[np.ndarray, "b S 3"]) -> Float[np.ndarray, "b C 3"]:
        """Control meshes with flat membranes."""
        return np.concatenate([skin, apply_rows(self._membrane, skin)], axis=1)


class PersonRig:
    """One person's face: what to pose."""

    def __init__(self, rig: FaceRig, neutral: np.ndarray, tissue: float) -> None:
        count = rig.skin_count
        self._rig, self._tissue = rig, tissue
        self.neutral = neutral[:count]
        helpers = neutral[count : count + HELPERS]
        self._centres = helpers[LEFT_EYE : LEFT_EYE + 2]
        poles = helpers[LEFT_POLE : LEFT_POLE + 2]
        self._radii = np.linalg.norm(poles - self._centres, axis=1)
        self._hinge = rig.jaw.axis(self.neutral)
        self._maps = rig.transport(self.neutral) if rig.terms.transport else None
        self._blink_ids = [rig.action_index[name] for name in BLINKS]
        self._blink_changes = self._fitted_blinks() if rig.terms.lid_contact else None

    def _fitted_blinks(self) -> np.ndarray:
        """What to add to this person's two blinks so that they just close, (2, 3 S)."""
        paths = self._transported(self._rig.action[self._blink_ids])
        scales = [self._rig.blinks.scale(k, self.neutral, path) for k, path in enumerate(paths)]
        return ((np.stack(scales)[..., None] - 1) * paths).reshape(len(BLINKS), -1)

    def _transported(self, displacements: Float[np.ndarray, "b S 3"]) -> np.ndarray:
        if self._maps is None:
            return displacements
        return apply_matrices(self._maps, displacements)

    def pose(self, actions: Float[np.ndarray, "b A"]) -> Float[np.ndarray, "b C 3"]:
        """Control meshes (mm, float32) for action weights, 0 at rest to about 1.2."""
        rig, terms = self._rig, self._rig.terms
        actions = actions.astype(np.float32)
        flat = rig.action.reshape(len(rig.action), -1)
        displacements = (actions @ flat).reshape(len(actions), -1, 3)
        skin = self.neutral + self._transported(displacements)
        if self._blink_changes is not None:
            change = actions[:, self._blink_ids] @ self._blink_changes
            skin += change.reshape(skin.shape)
        if terms.jaw_hinge:
            opening = actions[:, rig.action_index["jawOpen"]]
            skin = rig.jaw.turn(skin, opening, self._hinge)
        if terms.soft_volume:
            skin = rig.volume.bulge(skin, self.neutral, self._tissue)
        if terms.lid_contact:
            for contact in rig.lids:
                skin = contact.resolve(skin)
        if terms.lip_contact:
            skin = rig.lips.resolve(skin)
        points = rig.with_membranes(skin)
        if terms.membranes:
            points = rig.openings.shape(points, self._centres, self._radii)
        return points
