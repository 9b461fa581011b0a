"""Embedding networks of a data set: train one for each factor, load it, embed meshes."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan import config as configuration
from meshgan.apps.run_config import read_config
from meshgan.apps.tasks.embedding import VERIFICATION_FILE, Config, normal_maps
from meshgan.apps.train import train
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError
from meshgan.files import read_json
from meshgan.models.embedding import EmbeddingNet
from meshgan.training.run_folder import RunFolder
from meshgan.training.tasks.embedding import NET, embed_faces

log = logging.getLogger(__name__)
KIND = "embedding"
MAY_DIFFER = (
    *("iterations", "minutes", "devices", "accelerator"),
    *("log_every", "preview_every", "validate_every", "save_every", "keep_states"),
)
"""Settings of the training by which a network is no other one: its length, and what is told."""


class TrainedEmbedder:
    """The network of a RUN of kind ``embedding``, with the threshold of its verification.

    Args:
        net: sees normal maps.
        template: whose topology all meshes must have.
        factor: what makes two faces alike.
        size_px: of the pictures that the network was trained on.
        verification: how well it does on people whom it never saw, and its threshold.
    """

    def __init__(
        self,
        net: EmbeddingNet,
        template: Template,
        factor: str,
        size_px: int,
        verification: dict[str, Any],
    ) -> None:
        self.net, self.template, self.factor = net.eval(), template, factor
        self.verification = verification
        self.threshold = float(verification["threshold"])
        self.topology = template.topology_hash
        self.maps = normal_maps(template, size_px)

    @classmethod
    def load(cls, run: Path | str, device: str = "cpu") -> "TrainedEmbedder":
        """Read a RUN; nothing in it is executed.

        Raises:
            FileFormatError: not a RUN of an embedding, or a part is missing or damaged.
        """
        folder = RunFolder(run)
        if not folder.config_file.exists():
            raise FileFormatError(f"{folder.path}: not a RUN; train one first (meshgan train)")
        description = read_json(folder.path / "model.json")
        if not isinstance(description, dict) or description.get("kind") != KIND:
            raise FileFormatError(f"{folder.path}: not an embedding network, but a model of faces")
        if not (folder.path / VERIFICATION_FILE).exists():
            raise FileFormatError(
                f"{folder.path}: its training has not come to an end; resume it (meshgan train "
                "--resume)"
            )
        prefix = f"{NET}."
        weights = folder.read_weights()
        try:
            net = EmbeddingNet(description["size"], description["width"])
            net.load_state_dict({key.removeprefix(prefix): value for key, value in weights.items()})
            return cls(
                net.to(device),
                Template.load(folder.path / "template.npz"),
                str(description["factor"]),
                int(description["size_px"]),
                read_json(folder.path / VERIFICATION_FILE),
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FileFormatError(
                f"{folder.path}: weights, model.json and {VERIFICATION_FILE} do not belong "
                f"together ({error})"
            ) from error

    def embed(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B d"]:
        """Embeddings (B, d), float32, on the CPU, of faces in mm.

        Raises:
            ShapeError: the meshes have another number of vertices than the template.
            InputError: a vertex is not finite.
        """
        return embed_faces(self.net, self.maps, vertices)

    def distances(
        self,
        first: Float[np.ndarray, "B V 3"],
        second: Float[np.ndarray, "B V 3"],
    ) -> Float[np.ndarray, " B"]:
        """Distances, 0 to 2, of meshes pair by pair: below ``threshold`` they count as alike."""
        pair = [
            self.embed(torch.from_numpy(np.asarray(one, np.float32))) for one in (first, second)
        ]
        return (pair[0] - pair[1]).norm(dim=1).numpy()


def embedders_of(
    data: Path | str,
    factors: Sequence[str],
    out: Path | str,
    config: Config | None = None,
    device: str = "cpu",
) -> dict[str, TrainedEmbedder]:
    """A network for each factor of a data set, trained where there is none yet.

    What was trained on these meshes with these settings is used again; what was cut off goes on.

    Args:
        data: DATA folder.
        factors: whose networks are wanted.
        out: folder of the RUNs, one for each factor, by its name.
        config: the preset ``embedding`` by default; its factor is set for each.
        device: where the networks are put.

    Raises:
        InputError: too few faces are labelled, or ``out`` holds networks of other data or settings.
    """
    base = config or read_config("embedding", None)
    assert isinstance(base, Config)  # the preset's task
    store, embedders = Store.open(data), {}
    for factor in factors:
        run = Path(out) / factor
        mine = replace(base, model=replace(base.model, factor=factor))
        if not _is_finished(run, mine, store):
            log.info("training a network that judges %s", factor)
            train(Path(data), run, mine, resume=RunFolder(run).config_file.exists())
        embedders[factor] = TrainedEmbedder.load(run, device)
    return embedders


def _is_finished(run: Path, wanted: Config, store: Store) -> bool:
    """Whether ``run`` is such a network, trained to its end."""
    folder = RunFolder(run)
    if not folder.config_file.exists():
        return False
    found = read_config(None, folder.config_file)
    if _what_counts(found) != _what_counts(wanted):
        raise InputError(
            f"{run}: holds a network with other settings; choose another folder, or delete it"
        )
    description = read_json(run / "model.json")
    if description.get("data", {}).get("content") != store.content_hash:
        raise InputError(
            f"{run}: was trained on other meshes than {store.path}; choose another folder, or "
            "delete it"
        )
    done = (run / VERIFICATION_FILE).exists()
    return done and found.train.iterations >= wanted.train.iterations


def _what_counts(config: Any) -> dict[str, Any]:
    values = configuration.values_of(config)
    kept = {name: value for name, value in values["train"].items() if name not in MAY_DIFFER}
    return {**values, "train": kept, "epochs": None}
