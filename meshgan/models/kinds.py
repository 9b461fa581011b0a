"""The kinds of models that a RUN can hold, by the word in its model.json."""

import importlib
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import FileFormatError
from meshgan.models.base import FaceDecoder

KINDS = {
    "decoupled_gan": "meshgan.models.generator:DecoupledGenerator",
    "pca": "meshgan.models.baselines.pca:AdditiveFaces",
    "multilinear": "meshgan.models.baselines.multilinear:MultilinearFaces",
    "mae": "meshgan.models.baselines.mae:MultilinearAutoencoder",
    "coma": "meshgan.models.baselines.coma:ConvolutionalMeshAutoencoder",
}
GENERATOR = "generator"
"""Name of the module in a RUN's weights that turns codes into meshes, whatever its kind."""


def describe(kind: str, model: FaceDecoder) -> dict[str, Any]:
    """What, beside template and weights, makes the model again: plain values for model.json."""
    return {
        "kind": kind,
        "factors": {name: list(labels) for name, labels in model.factors.items()},
        "code_sizes": dict(model.code_sizes),
        "settings": model.settings(),
    }


def make_model(
    description: Any,
    template_vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    weights: Mapping[str, Tensor],
) -> FaceDecoder:
    """The model that ``describe`` described, with its weights.

    Args:
        description: from model.json.
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        weights: of the whole RUN; those of other modules are passed over.

    Raises:
        FileFormatError: an unknown kind, or weights of another model.
    """
    kind = description.get("kind") if isinstance(description, dict) else None
    if kind not in KINDS:
        raise FileFormatError(
            f"model.json: kind {kind!r} is not a model of faces; known: {', '.join(KINDS)}"
        )
    module, _, name = KINDS[kind].partition(":")
    prefix = f"{GENERATOR}."
    state = {
        key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)
    }
    try:
        model = getattr(importlib.import_module(module), name)(
            template_vertices,
            faces,
            {name: tuple(labels) for name, labels in description["factors"].items()},
            description["code_sizes"],
            **description["settings"],
        )
        model.load_state_dict(state)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise FileFormatError(
            f"weights, template and model.json do not belong together ({error})"
        ) from error
    return model
