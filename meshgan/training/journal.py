"""Where numbers go during training: metrics.jsonl, TensorBoard, and one line on the terminal."""

import json
import logging
import math
import time
from pathlib import Path

from meshgan.training.run_folder import RunFolder, read_json_lines

log = logging.getLogger(__name__)


class Journal:
    """Writes one line of values per logged iteration.

    On resume, lines after the restored iteration are dropped: the run is one unbroken record.
    """

    def __init__(self, run: RunFolder, first_iteration: int, total: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        kept = [
            line
            for line in read_json_lines(run.metrics_file)
            if line["iteration"] <= first_iteration
        ]
        run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._file = run.metrics_file.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run.path / "tensorboard"), purge_step=first_iteration + 1)
        self._total = total
        self._started = time.monotonic()
        self._first = first_iteration
        self._told = 0.0

    def write(self, iteration: int, values: dict[str, float]) -> None:
        """Record ``values`` at ``iteration``."""
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._file.write(json.dumps({"iteration": iteration, **finite}) + "\n")
        self._file.flush()
        for key, value in values.items():
            self._board.add_scalar(key, value, iteration)
        self._tell(iteration, values)

    def picture(self, name: str, path: Path, iteration: int) -> None:
        """Show a preview in TensorBoard as well."""
        import numpy as np
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._board.add_image(name, pixels, iteration, dataformats="HWC")

    def close(self) -> None:
        """Flush and close everything."""
        self._file.close()
        self._board.close()

    def _tell(self, iteration: int, values: dict[str, float]) -> None:
        now = time.monotonic()
        if now - self._told < 10 and iteration < self._total:
            return
        self._told = now
        rate = (iteration - self._first) / max(now - self._started, 1e-9)
        left = (self._total - iteration) / max(rate, 1e-9)
        shown = "  ".join(f"{key} {value:.3g}" for key, value in values.items() if "/" in key)
        log.info(
            "%d of %d, %.1f a second, %.0f s left  %s", iteration, self._total, rate, left, shown
        )
