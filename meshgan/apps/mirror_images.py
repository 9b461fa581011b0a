"""Mirror images of a data set's faces: twice as many people, at no cost but time.

A mirror image is another person with the same expression. It shows how faces differ from left to
right in both directions, so that a model of few people does not take their asymmetries for a rule.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from meshgan.apps.prepare import displacement_chunks
from meshgan.data.dataset import MeshDataset
from meshgan.models.baselines.additive import AdditiveModel, Passes

REFLECTION = np.array([-1.0, 1.0, 1.0], dtype=np.float32)  # +x is the subject's left


@dataclass(frozen=True, eq=False)
class Faces:
    """What ``fit_additive`` learns from.

    Args:
        chunks: starts a pass over the faces.
        labels: by factor.
        label_counts: by factor.
        images: factors whose labels alternate between a face's own and its mirror image's.
    """

    chunks: Passes
    labels: Mapping[str, Int[np.ndarray, " N"]]
    label_counts: Mapping[str, int]
    images: tuple[str, ...] = ()

    @property
    def siblings(self) -> int:
        """Labels that must be left out together: a person and the mirror image."""
        return 2 if self.images else 1

    def without_images(self, model: AdditiveModel) -> AdditiveModel:
        """The model with the codes of the real labels only."""
        codes = {
            name: code[::2] if name in self.images else code for name, code in model.codes.items()
        }
        return replace(model, codes=codes)


def with_mirror_images(
    dataset: MeshDataset,
    mirror: Int[np.ndarray, " V"],
    labels: Mapping[str, Int[np.ndarray, " N"]],
    label_counts: Mapping[str, int],
) -> Faces:
    """Every face, and its mirror image after it.

    A label that belongs to one person alone gets a twin for the mirror images, 2k and 2k + 1;
    other labels are the mirror images' too.

    Args:
        dataset: the faces.
        mirror: for each vertex the one on the other side.
        labels: by factor (N,), -1 where unlabelled.
        label_counts: number of labels of each factor.
    """
    reference = dataset.template.mesh.vertices.astype(np.float32)
    asymmetry = reference[mirror] * REFLECTION - reference
    personal = tuple(name for name in labels if _belong_to_people(labels[name], dataset.subject))
    count = len(dataset)

    def chunks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows, values in displacement_chunks(dataset):
            yield rows, values
            yield rows + count, _reflected(values, mirror, asymmetry)

    both = {}
    for name, own in labels.items():
        if name in personal:
            known = own >= 0
            both[name] = np.concatenate([np.where(known, 2 * own + k, -1) for k in (0, 1)])
        else:
            both[name] = np.concatenate([own, own])
    counts = {name: n * (2 if name in personal else 1) for name, n in label_counts.items()}
    return Faces(chunks, both, counts, personal)


def _reflected(
    values: Float[np.ndarray, "b W"], mirror: np.ndarray, asymmetry: np.ndarray
) -> Float[np.ndarray, "b W"]:
    """Displacements (b, 3V) of the mirror images, mm."""
    moved = values.reshape(len(values), -1, 3)[:, mirror] * REFLECTION + asymmetry
    return moved.reshape(values.shape)


def _belong_to_people(labels: np.ndarray, people: np.ndarray) -> bool:
    """Whether each label occurs with one person only."""
    known = labels >= 0
    pairs = np.unique(np.stack([labels[known], people[known]]), axis=1)
    return pairs.shape[1] == len(np.unique(labels[known]))
