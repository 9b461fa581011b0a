"""Keys, and what each does to a stage: one table for the window, its help and its tests."""

from collections.abc import Callable
from dataclasses import dataclass

from meshgan.viewer.browse import DataScene
from meshgan.viewer.scene import ModelScene
from meshgan.viewer.stage import Stage


@dataclass(frozen=True)
class Action:
    """Something a key does.

    Args:
        key: what is on the key.
        does: a few words for the help.
        run: does it; what it returns is not used.
    """

    key: str
    does: str
    run: Callable[[], object]


def actions_of(stage: Stage) -> dict[str, Action]:
    """The actions that make sense for a stage, by key."""
    found = [*_own_actions(stage), *_display_actions(stage)]
    return {action.key: action for action in found}


def _own_actions(stage: Stage) -> list[Action]:
    if isinstance(stage, ModelScene):
        actions = [
            Action("R", "random face", stage.randomise),
            Action("0", "back to the mean face", stage.reset),
            Action("Z", "undo", stage.undo),
            Action("Y", "redo", stage.redo),
            Action("B", "both faces, or one", lambda: stage.show_both(not stage.pair.both)),
            Action("X", "exchange the two faces", stage.swap),
        ]
        for key, factor in zip("EI", ("expression", "identity"), strict=True):
            if factor in stage.model.model.code_sizes:
                actions.append(Action(key, f"random {factor}", _bound(stage.randomise, factor)))
        if "expression" in stage.model.model.code_sizes:
            actions.append(Action("T", "expression of the left face to the right", stage.transfer))
        return actions
    if isinstance(stage, DataScene):
        return [
            Action("N", "next face", _bound(stage.step, 1)),
            Action("P", "previous face", _bound(stage.step, -1)),
        ]
    return []


def _display_actions(stage: Stage) -> list[Action]:
    display = stage.display
    actions = [
        Action("W", "wireframe", lambda: stage.show(wireframe=not stage.display.wireframe)),
    ]
    if len(stage.colourings) > 1:
        actions.append(Action("C", "next colouring", stage.next_colouring))
    if stage.template.landmarks:
        first = display.landmarks or next(iter(stage.template.landmarks))

        def landmarks() -> None:
            stage.show(landmarks="" if stage.display.landmarks else first)

        actions.append(Action("L", "landmarks", landmarks))
    return actions


def _bound(method: Callable, argument: object) -> Callable[[], object]:
    return lambda: method(argument)
