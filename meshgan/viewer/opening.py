"""From a path to something to look at: a RUN, a DATA folder or a mesh file."""

from pathlib import Path

from meshgan.apps.face_model import FaceModel
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.viewer.browse import DataScene, MeshScene
from meshgan.viewer.scene import ModelScene
from meshgan.viewer.stage import Stage

RUN_FILE, DATA_FILE = "model.json", "dataset.json"


def open_stage(what: Path | None, seed: int = 0) -> Stage:
    """The scene that belongs to a path.

    Args:
        what: a RUN folder, a DATA folder or a mesh file; None for the model that comes with the
            package.
        seed: of the random faces of a RUN.

    Raises:
        InputError: neither of them, or it cannot be read.
    """
    if what is None:
        return ModelScene(FaceModel.load(), "meshgan", seed)
    if (what / RUN_FILE).exists():
        return ModelScene(FaceModel.load(what), f"{what} - meshgan", seed)
    if (what / DATA_FILE).exists():
        return DataScene(Store.open(what), f"{what} - meshgan")
    if what.is_dir():
        raise InputError(
            f"{what}: neither a RUN (no {RUN_FILE}) nor a DATA folder (no {DATA_FILE}); "
            "give one of them, or a mesh file"
        )
    return MeshScene(what)
