"""Batches of sample ids: shuffled, repeatable, resumable to the bit, without global state."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int

from meshgan.errors import InputError
from meshgan.seeding import generator

_MUST_MATCH = ("count", "batch_size", "seed", "labelled_count", "labelled_size")
_STATE_KEYS = (*_MUST_MATCH, "epoch", "position")


class BatchStream:
    """An endless stream of batches; batch k depends on (seed, k) alone.

    Each epoch is a fresh permutation of all samples, cut into whole batches; what is left over is
    dropped, and comes up in other epochs. A data set smaller than a batch is repeated: the batch
    runs over from one permutation into the next.

    With few labelled samples most batches would hold none of them. ``labels`` and
    ``labelled_share`` draw that share of each batch from the labelled samples instead, which are
    shuffled and repeated on their own; the rest comes from all samples as before.

    Axis letters: N samples, B batch.

    Args:
        count: N.
        batch_size: B.
        seed: names the stream.
        labels: labels of one factor (N,), -1 = unlabelled.
        labelled_share: of each batch, 0 to 1; needs ``labels``.

    Raises:
        InputError: a number is out of range, ``labels`` has another length, or a share is asked
            for where nothing is labelled.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        labels: Int[np.ndarray, " N"] | None = None,
        labelled_share: float = 0.0,
    ) -> None:
        if count < 1 or batch_size < 1 or not 0 <= labelled_share <= 1:
            raise InputError(
                f"batches: count {count:,}, batch size {batch_size:,}, labelled share "
                f"{labelled_share}; expected 1 or more, 1 or more, 0 to 1"
            )
        if labels is not None and len(labels) != count:
            raise InputError(f"batches: {len(labels):,} labels for {count:,} samples")
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self._labelled = np.flatnonzero(labels >= 0) if labels is not None else np.empty(0, int)
        self.labelled_size = round(labelled_share * batch_size)
        if self.labelled_size and not len(self._labelled):
            raise InputError("batches: a labelled share is asked for, but no sample is labelled")
        self._free_size = batch_size - self.labelled_size
        self._step = 0
        self._recent: dict[str, tuple[int, np.ndarray]] = {}

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in one pass over all samples, at least one."""
        return max(1, self.count // (self._free_size or self.batch_size))

    @property
    def labelled_count(self) -> int:
        """Samples that are labelled."""
        return len(self._labelled)

    @property
    def epoch(self) -> int:
        """Which pass over the samples the next batch belongs to, from 0."""
        return self._step // self.batches_per_epoch

    @property
    def position(self) -> int:
        """Which batch of its epoch the next one is, from 0."""
        return self._step % self.batches_per_epoch

    def __iter__(self) -> Iterator[Int[np.ndarray, " B"]]:
        return self

    def __next__(self) -> Int[np.ndarray, " B"]:
        """Sample ids of the next batch (B,), int64; labelled ones first if a share is set."""
        labelled = self._cycle("labelled", self._labelled, self.labelled_size)
        batch = np.concatenate([labelled, self._free_part()])
        self._step += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as plain numbers."""
        return {key: getattr(self, key) for key in _STATE_KEYS}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken: the same batches follow, to the bit.

        Raises:
            InputError: the state is of a stream over other samples, batches or seed.
        """
        if missing := [key for key in _STATE_KEYS if key not in state]:
            raise InputError(f"batches: the state has no {', '.join(missing)}")
        wrong = [
            f"{key} {state[key]} (here {getattr(self, key)})"
            for key in _MUST_MATCH
            if state[key] != getattr(self, key)
        ]
        if wrong or not 0 <= state["position"] < self.batches_per_epoch or state["epoch"] < 0:
            raise InputError(
                f"batches: the state is of another stream: {', '.join(wrong) or 'out of range'}; "
                "resume with the data and settings it was saved with"
            )
        self._step = state["epoch"] * self.batches_per_epoch + state["position"]

    def _free_part(self) -> np.ndarray:
        size = self._free_size
        if self.count < size:
            return self._cycle("all", np.arange(self.count), size)
        order = self._permutation("all", self.count, self.epoch)
        return order[self.position * size : (self.position + 1) * size]

    def _cycle(self, purpose: str, pool: np.ndarray, size: int) -> np.ndarray:
        """``size`` entries of ``pool``, which is shuffled anew each time it runs out."""
        parts, start, missing = [np.empty(0, np.int64)], self._step * size, size
        while missing:
            turn, offset = divmod(start, len(pool))
            part = pool[self._permutation(purpose, len(pool), turn)[offset : offset + missing]]
            parts.append(part)
            start, missing = start + len(part), missing - len(part)
        return np.concatenate(parts)

    def _permutation(self, purpose: str, count: int, turn: int) -> np.ndarray:
        if self._recent.get(purpose, (None,))[0] != turn:
            rng = generator(self.seed, "batches", purpose, turn)
            self._recent[purpose] = (turn, rng.permutation(count))
        return self._recent[purpose][1]
