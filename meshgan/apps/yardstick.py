"""What the models of one data set are measured against: gathered once, used for every model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.apps.reconstruction import Targets
from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.companions import CompanionData
from meshgan.evaluation.decoupling import FaceEmbedder
from meshgan.evaluation.estimate import FaceCollection
from meshgan.evaluation.oracle import Oracle, Recovered
from meshgan.evaluation.quality import QualityMeter
from meshgan.evaluation.source_oracle import ParametricSource, fit_source_oracle, true_grid
from meshgan.evaluation.specificity import sample_faces
from meshgan.evaluation.transfer_error import TransferCases, transfer_cases
from meshgan.geometry.mesh import topology_hash
from meshgan.models.base import MeshModel

GRID = 20  # persons and expressions of the oracle's grid
TRANSFERS = 60  # expression transfers: two whole faces are fitted for each


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Data, truth and judges of the metrics, and the sizes of the draws.

    Args:
        training: the meshes that the models learned from.
        surface: template vertices (V, 3), mm, and faces (F, 3), the same for data and models.
        fresh: real faces that no model saw: the floor of specificity.
        source: the parametric source of the data, where there is one.
        embedders: judges of decoupling, by factor.
        targets: faces to be found again from sparse landmarks.
        regions: vertex ids by name, for errors by region.
        seed: of every draw; the same seed gives the same numbers.
        pairs: random pairs per diversity (the paper: 10,000).
        samples: faces for specificity and its companions (the paper: 1,000).
    """

    training: FaceCollection
    surface: tuple[Float[Tensor, "V 3"], Int[Tensor, "F 3"]]
    fresh: FaceCollection | None = None
    source: ParametricSource | None = None
    embedders: Mapping[str, FaceEmbedder] = field(default_factory=dict)
    targets: Targets | None = None
    regions: Mapping[str, Int[np.ndarray, " _"]] = field(default_factory=dict)
    seed: int = 0
    pairs: int = 10_000
    samples: int = 1000

    @cached_property
    def companions(self) -> CompanionData:
        """What the companions of the metrics compare with."""
        gathered = CompanionData.gather(
            self.training, self.fresh, None, count=self.samples, seed=self.seed
        )
        return gathered if self.source is None else replace(gathered, oracle=self.oracle)

    @cached_property
    def oracle(self) -> Oracle:
        """Readers of the truth behind the source's faces."""
        return fit_source_oracle(self._source, seed=self.seed)

    @cached_property
    def true_grid(self) -> Recovered:
        """What the oracle reads from true faces of persons x expressions."""
        return self.oracle.recover(true_grid(self._source, GRID, GRID, self.seed))

    @cached_property
    def transfers(self) -> TransferCases:
        """Expression transfers whose right answer is known."""
        return transfer_cases(self._source, TRANSFERS, seed=self.seed)

    @cached_property
    def quality(self) -> QualityMeter:
        """Measures meshes against the template."""
        return QualityMeter(*self.surface)

    @property
    def _source(self) -> ParametricSource:
        if self.source is None:
            raise InputError("metrics: the truth behind these data is not known")
        return self.source

    def check_topology(self, model: MeshModel) -> None:
        """Refuse a model of another topology than the data's.

        Raises:
            ShapeError: they differ; says how.
        """
        expected = len(model.template_vertices)
        topology = topology_hash(expected, model.faces.cpu().numpy())
        named = {"training data": self.training, "fresh faces": self.fresh}
        for name, collection in named.items():
            if collection is None:
                continue
            found = collection.vertices(np.arange(1)).shape[1]
            if found != expected:
                raise ShapeError(
                    f"evaluate: the {name} hold meshes of {found:,} vertices, the model "
                    f"{expected:,}; give data of the model's template"
                )
            template = getattr(collection, "template", None)
            if template is not None and template.topology_hash != topology:
                raise ShapeError(
                    f"evaluate: the {name} have topology {template.topology_hash}, the model "
                    f"{topology}, both of {expected:,} vertices; give data of the model's template"
                )


class SampledModel:
    """A model with the random faces that several metrics look at: drawn once."""

    def __init__(self, model: MeshModel, yardstick: Yardstick) -> None:
        self.model = model
        self._yardstick = yardstick

    @cached_property
    def faces(self) -> Float[Tensor, "S V 3"]:
        """Random faces, mm."""
        return sample_faces(self.model, self._yardstick.samples, self._yardstick.seed)
