"""History: steps back and forth, and a gesture is one step."""

from meshgan.viewer.history import LONGEST, History


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_back_and_forth():
    history = History(0)
    for state in (1, 2):
        history.change(state)
    assert (history.undo(), history.state) == (True, 1)
    assert (history.undo(), history.state) == (True, 0)
    assert (history.undo(), history.state, history.can_undo) == (False, 0, False)
    assert (history.redo(), history.state, history.can_redo) == (True, 1, True)
    history.change(5)
    assert (history.redo(), history.state) == (False, 5)


def test_a_drag_is_one_step():
    clock = Clock()
    history = History(0.0, clock)
    for k in range(1, 50):
        clock.now += 0.1
        history.change(k / 10, gesture="slider 1")
    history.undo()
    assert history.state == 0.0


def test_gestures_end_by_a_pause_another_gesture_and_an_undo():
    clock = Clock()
    history = History("start", clock)
    history.change("a", gesture="one")
    clock.now += 2.5
    history.change("b", gesture="one")  # after a pause
    history.change("c", gesture="two")
    history.change("d")
    history.change("e")
    seen = []
    while history.undo():
        seen.append(history.state)
    assert seen == ["d", "c", "b", "a", "start"]
    history.change("f", gesture="one")
    history.change("g", gesture="one")
    history.undo()
    assert history.state == "start"


def test_forgets_what_is_long_ago():
    history = History(0)
    for k in range(LONGEST + 50):
        history.change(k + 1)
    steps = 0
    while history.undo():
        steps += 1
    assert (steps, history.state) == (LONGEST, 50)
