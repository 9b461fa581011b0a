"""``meshgan evaluate``: score the model of a RUN against the data it was trained on."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshgan.apps.evaluate import METRICS, RESULT_FILE, check_metrics, evaluate
from meshgan.apps.face_model import load_model
from meshgan.apps.oracle_source import find_source
from meshgan.apps.prepare import held_out_part_of, training_part_of
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.files import write_json

log = logging.getLogger(__name__)


def evaluate_run(
    run: Path | str,
    data: Path | str,
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
    pairs: int = 10_000,
    samples: int = 1000,
    out: Path | str | None = None,
    fresh: Path | str | None = None,
) -> dict[str, Any]:
    """Score a RUN.

    Args:
        run: folder of a trained model.
        data: DATA folder that it was trained on.
        metrics: as for ``evaluate``; what cannot be measured on these data is left out, with the
            reason, as long as something is left.
        seed: of every draw.
        pairs: random pairs per diversity.
        samples: faces for specificity and quality.
        out: folder for ``metrics.json``; nothing is written if None.
        fresh: DATA folder of real faces that the model never saw; by default the test people of
            ``data``, if the run left them out of its training.

    Returns:
        As ``evaluate``; and ``not_available``: metric -> why it was left out.

    Raises:
        InputError: an unknown metric; or none of them can be measured.
        ShapeError: model and data differ in topology.
    """
    store = Store.open(data)
    check_metrics(metrics)
    wanted, source, missing = list(metrics), None, {}
    if "oracle" in wanted:
        try:
            source = find_source(store)
        except InputError as error:
            wanted.remove("oracle")
            if not wanted:
                raise
            missing["oracle"] = str(error)
            log.warning("%s", error)
    result = evaluate(
        load_model(run),
        training_part_of(run, store),
        metrics=wanted,
        seed=seed,
        pairs=pairs,
        samples=samples,
        fresh=held_out_part_of(run, store) if fresh is None else Store.open(fresh),
        source=source,
    )
    result["not_available"] = missing
    if out is not None:
        write_json(Path(out) / RESULT_FILE, result)
    return result
