"""An embedding network: its settings, what comes before its training, and its judgement after."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.prepare import Prepared, with_length
from meshgan.apps.run_config import RunConfig
from meshgan.config import require
from meshgan.data.dataset import MeshDataset
from meshgan.data.splits import Split
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.evaluation.verification import (
    LARGEST_FALSE_ACCEPTANCE,
    Verification,
    at_threshold,
    check_pairs,
    verify,
)
from meshgan.files import write_json
from meshgan.models.embedding import EmbeddingNet
from meshgan.pictures.normal_maps import NormalMaps
from meshgan.pictures.plots import line_chart
from meshgan.pictures.sheet import save_png
from meshgan.training.run_folder import RunFolder
from meshgan.training.tasks.embedding import Embed, Embedding
from meshgan.training.tasks.embedding_batches import BalancedFaces, LabelledFaces
from meshgan.training.tasks.embedding_config import (
    EmbeddingModelConfig,
    TripletConfig,
    VariationConfig,
)

log = logging.getLogger(__name__)

VERIFICATION_FILE = "verification.json"
ROC_FILE = "roc.png"
WATCHED = 500  # faces looked at in each validation


@dataclass(frozen=True)
class VerificationConfig:
    """Where the threshold comes from."""

    parts: tuple[Literal["validation", "test"], ...] = ("test",)
    """People whose faces decide, none of them trained on. Few labels: take both parts."""
    false_acceptance: float = LARGEST_FALSE_ACCEPTANCE
    """Share of wrong pairs that the threshold must stay below."""

    def __post_init__(self) -> None:
        require(
            self,
            parts=len(self.parts) == len(set(self.parts)) > 0,
            false_acceptance=0 < self.false_acceptance <= 1,
        )


@dataclass(frozen=True)
class Config(RunConfig):
    """All settings of an embedding network; those that the paper gives are its own."""

    model: EmbeddingModelConfig = field(default_factory=EmbeddingModelConfig)
    triplets: TripletConfig = field(default_factory=TripletConfig)
    variation: VariationConfig = field(default_factory=VariationConfig)
    verification: VerificationConfig = field(default_factory=VerificationConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, part=self.part == "train")  # the others judge
        require(self.train, ema_decay=self.train.ema_decay is None)  # not with batch normalisation


def prepare(store: Store, config: Config, rank: int = 0, fresh: bool = True) -> Prepared:
    """Everything between a data set and the first step.

    Args:
        store: the data set.
        config: of the run.
        rank: number of this process; each sees the data in an order of its own.
        fresh: whether the training starts anew; the same either way.

    Raises:
        InputError: the data set lacks the factor, or too few faces are labelled to train or judge.
    """
    factor, template = config.model.factor, store.template
    _require_factor(store, factor)
    faces = LabelledFaces.of(MeshDataset(store, "train"), factor)
    judges = held_out(store, factor, config.verification.parts)
    task = Embedding(
        _make_net(config),
        normal_maps(template, config.model.size_px),
        BalancedFaces(
            faces, config.triplets.labels, config.triplets.faces, config.train.seed + 7919 * rank
        ),
        config.triplets,
        _for_factor(config.variation, faces),
        None if template.mirror is None else torch.from_numpy(template.mirror),
        _watch(store, config),
    )
    per_iteration = task.stream.labels * task.stream.per_label

    def finish(run: RunFolder) -> None:
        write_verification(run, store, config, task.embed, judges)

    return Prepared(
        task,
        None,
        template,
        with_length(config, len(faces), per_iteration),
        store,
        about={"factor": factor, **{name: getattr(config.model, name) for name in NET_SETTINGS}},
        finish=finish,
    )


NET_SETTINGS = ("size", "width", "size_px")
"""What model.json holds, beside the factor, to make the network again."""


def normal_maps(template: Template, size_px: int) -> NormalMaps:
    """What draws the pictures of a network that was trained on this template."""
    vertices = torch.from_numpy(np.asarray(template.mesh.vertices, dtype=np.float32))
    return NormalMaps(vertices, torch.from_numpy(template.mesh.faces), size_px)


def held_out(store: Store, factor: str, parts: Sequence[Split]) -> LabelledFaces:
    """Labelled faces of the people in some parts, from which the threshold comes.

    Raises:
        InputError: too few are labelled to make a pair that shares a label and one that does not.
    """
    people = [MeshDataset(store, part).subject for part in parts]
    everyone = MeshDataset(store, None)
    faces = LabelledFaces.of(everyone, factor).of_people(np.unique(np.concatenate(people)))
    try:
        check_pairs(faces)
    except InputError as error:
        raise InputError(
            f"{store.path}: parts {', '.join(parts)} cannot judge {factor}: {error}"
        ) from error
    return faces


def write_verification(
    run: RunFolder, store: Store, config: Config, embed: Embed, judges: LabelledFaces
) -> dict[str, Any]:
    """Judge a network on held-out people; the threshold and the curve go beside its weights."""
    limit, seed = config.verification.false_acceptance, config.train.seed
    found = verify(embed, judges, seed, limit)
    by_part = _by_part(store, config, embed)
    values = {
        "factor": judges.factor,
        "rule": f"best accuracy with false acceptance below {limit:g}",
        **found.as_dict(),
        "parts": list(config.verification.parts),
        "by_part": {part: one.as_dict() for part, one in by_part.items()},
        "on_other_people": _on_other_people(by_part),
        "seed": seed,
        "data": {"content": store.content_hash, "meshes": store.count},
        "roc": found.roc.points(),
    }
    write_json(run.path / VERIFICATION_FILE, values)
    save_png(_chart(found, judges.factor), run.path / ROC_FILE)
    log.info(
        "%s: accuracy %.1f %%, false acceptance %.1f %% on %d held-out people",
        judges.factor,
        100 * found.best.accuracy,
        100 * found.best.false_acceptance,
        found.people,
    )
    return values


def _by_part(store: Store, config: Config, embed: Embed) -> dict[str, Verification]:
    """Each held-out part on its own, as far as it has pairs."""
    found = {}
    both: tuple[Split, ...] = ("validation", "test")
    for part in both:
        try:
            faces = held_out(store, config.model.factor, (part,))
        except InputError as error:
            log.warning("%s", error)
            continue
        found[part] = verify(embed, faces, config.train.seed, config.verification.false_acceptance)
    return found


def _on_other_people(by_part: Mapping[str, Verification]) -> dict[str, Any] | None:
    """Test people judged by the threshold that the validation people gave: nothing fitted to them.

    What the rule itself reports is a little better than the truth: its threshold is fitted.
    """
    if len(by_part) < 2:
        return None
    point = at_threshold(by_part["test"].roc, by_part["validation"].best.threshold)
    return vars(point)


def _watch(store: Store, config: Config):
    """Scores of a network in training, on the validation people."""
    try:
        faces = held_out(store, config.model.factor, ("validation",))
    except InputError as error:
        log.warning("no scores during training: %s", error)
        return None
    some = faces.some(WATCHED, seeding.generator(config.train.seed, "watched faces"))

    def judge(embed: Embed) -> dict[str, float]:
        found = verify(embed, some, limit=config.verification.false_acceptance)
        return {
            "score/accuracy": found.best.accuracy,
            "score/false_acceptance": found.best.false_acceptance,
            "score/area": found.roc.area,
        }

    return judge


def _require_factor(store: Store, factor: str) -> None:
    if factor not in store.factors:
        raise InputError(
            f"{store.path}: has factors {', '.join(store.factors)}, but the embedding is asked for "
            f"{factor!r}; change model.factor or build the data with --factors"
        )


def _for_factor(variation: VariationConfig, faces: LabelledFaces) -> VariationConfig:
    """Variations that make another person are none where the label says who it is."""
    if not faces.by_person:
        return variation
    return replace(variation, scale=0.0, stretch=0.0, mirrored=0.0)


def _make_net(config: Config) -> EmbeddingNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(
            seeding.torch_generator(config.train.seed, "embedding", config.model.factor)
            .initial_seed()
        )  # fmt: skip
        return EmbeddingNet(config.model.size, config.model.width)


def _chart(found: Verification, factor: str):
    points, best = found.roc.points(), found.best
    percent = {name: 100 * np.array(values) for name, values in points.items()}
    chosen = ([100 * best.false_acceptance], [100 * best.true_acceptance])
    return line_chart(
        {
            f"all thresholds (area {found.roc.area:.3f})": (
                percent["false_acceptance"],
                percent["true_acceptance"],
            ),
            f"chosen: {best.threshold:.3f}, accuracy {100 * best.accuracy:.1f} %": chosen,
        },
        title=f"Do two faces share the {factor}? {found.people} people never seen before",
        x_label="pairs accepted that do not share it (%)",
        y_label="pairs accepted that do (%)",
    )
