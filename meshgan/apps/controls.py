"""Models whose decoupling is known beforehand: they test the metrics, not themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshgan.apps.contenders import Contender
from meshgan.apps.face_model import FaceModel
from meshgan.apps.yardstick import Yardstick
from meshgan.evaluation.controls import Entangled, MeaninglessCodes, oracle_additive
from meshgan.files import checksum
from meshgan.models.base import MeshModel
from meshgan.training.run_folder import RunFolder

SIZES = {"identity": 65, "expression": 20}
HALF = 0.5


@dataclass(frozen=True)
class Control:
    """A model to test the metrics with.

    Args:
        name: of its results.
        title: in tables.
        expected: what the metrics should say.
        key: what it depends on.
        make: builds it.
    """

    name: str
    title: str
    expected: str
    key: str
    make: Callable[[], MeshModel]


def control_models(contenders: Sequence[Contender], yardstick: Yardstick) -> list[Control]:
    """The controls that the data allow; two of them change the first contender.

    Args:
        contenders: the first one lends its faces.
        yardstick: its source, if any, makes the additive oracle.
    """
    controls = []
    source = yardstick.source
    if source is not None:
        controls.append(
            Control(
                "oracle_additive",
                "true people and true motions, added",
                "decoupled by construction",
                "oracle additive",
                lambda: oracle_additive(source, *yardstick.surface, SIZES, seed=yardstick.seed),
            )
        )
    if contenders:
        first = contenders[0]
        key = checksum(RunFolder(first.run).weights_file)

        def base() -> MeshModel:
            return FaceModel.load(first.run).model

        controls.append(
            Control(
                "half_entangled",
                f"{first.title}, codes half mixed",
                "in between",
                f"half {key}",
                lambda: Entangled(base(), HALF),
            )
        )
        controls.append(
            Control(
                "meaningless",
                f"{first.title}, codes shuffled",
                "chance",
                f"meaningless {key}",
                lambda: MeaninglessCodes(base()),
            )
        )
    return controls
