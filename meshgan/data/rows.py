"""FaceRows: a handful of registered faces with what is known of each, on its way to a store."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from meshgan.errors import ShapeError

UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class FaceRows:
    """Some registered faces of one template: what sources yield and stores append.

    Axis letters: b faces, V vertices.

    Args:
        vertices: positions (b, V, 3), mm, float32.
        labels: per factor one label (b,), int64; -1 = unlabelled.
        subject: whose face, an index into the store's subject names (b,), int64.
        sequence: which recording (b,), int64; unique over all subjects.
        frame: position in its sequence (b,), int64, from 0.
        extras: anything else with a row per face, for example a source's true parameters.

    Raises:
        ShapeError: two arrays have a different number of rows.
    """

    vertices: Float[np.ndarray, "b V 3"]
    labels: Mapping[str, Int[np.ndarray, " b"]]
    subject: Int[np.ndarray, " b"]
    sequence: Int[np.ndarray, " b"]
    frame: Int[np.ndarray, " b"]
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {f"label {name}": values for name, values in self.labels.items()}
        named |= {"subject": self.subject, "sequence": self.sequence, "frame": self.frame}
        named |= {f"extra {name}": values for name, values in self.extras.items()}
        wrong = [
            f"{name} has shape {np.shape(values)}"
            for name, values in named.items()
            if np.shape(values)[:1] != (self.count,)
        ]
        if wrong:
            raise ShapeError(f"face rows: {self.count:,} meshes, but " + "; ".join(wrong))

    @property
    def count(self) -> int:
        """Number of faces, b."""
        return len(self.vertices)

    def take(self, rows: slice | Int[np.ndarray, " k"]) -> "FaceRows":
        """The faces of a slice, or of some row numbers."""
        return FaceRows(
            vertices=self.vertices[rows],
            labels={name: values[rows] for name, values in self.labels.items()},
            subject=self.subject[rows],
            sequence=self.sequence[rows],
            frame=self.frame[rows],
            extras={name: values[rows] for name, values in self.extras.items()},
        )

    def copy(self) -> "FaceRows":
        """The same faces in arrays of their own; vertices as float32."""
        return FaceRows(
            vertices=np.array(self.vertices, dtype=np.float32),
            labels={name: np.array(values) for name, values in self.labels.items()},
            subject=np.array(self.subject),
            sequence=np.array(self.sequence),
            frame=np.array(self.frame),
            extras={name: np.array(values) for name, values in self.extras.items()},
        )
