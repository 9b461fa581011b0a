"""Undo and redo: states that are never changed, only replaced."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

State = TypeVar("State")
LONGEST = 200
SAME_GESTURE_S = 2.0  # a software renderer may take most of a second between two changes


class History(Generic[State]):
    """The states that a user went through, and where among them he is.

    A drag of a slider is a hundred changes but one gesture: changes with the same name that follow
    each other quickly are undone in one step.

    Args:
        state: the first one.
        clock: seconds, from any origin.
    """

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = state
        self._clock = clock
        self._past: list[State] = []
        self._future: list[State] = []
        self._gesture: Hashable = None
        self._last = -float("inf")

    def change(self, state: State, gesture: Hashable = None) -> None:
        """Go on to a new state; what had been undone is forgotten.

        Args:
            state: the new one.
            gesture: name of what the user is doing; None is never one with the change before.
        """
        now = self._clock()
        goes_on = gesture is not None and gesture == self._gesture
        if not (goes_on and now - self._last <= SAME_GESTURE_S):
            self._past = [*self._past, self.state][-LONGEST:]
        self.state, self._future = state, []
        self._gesture, self._last = gesture, now

    def undo(self) -> bool:
        """Go one step back; False where there is none."""
        return self._step(self._past, self._future)

    def redo(self) -> bool:
        """Take back an undo; False where there is none."""
        return self._step(self._future, self._past)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step."""
        return bool(self._future)

    def _step(self, source: list[State], target: list[State]) -> bool:
        if not source:
            return False
        target.append(self.state)
        self.state = source.pop()
        self._gesture = None
        return True
