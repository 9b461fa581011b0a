"""The columns beside the faces: which controls a stage has."""

from collections.abc import Callable, Sequence

from open3d.visualization import gui

from meshgan.models.base import NOISE
from meshgan.viewer.browse import DataScene
from meshgan.viewer.scene import ModelScene
from meshgan.viewer.sliders import REACH
from meshgan.viewer.stage import COLOURINGS, Stage
from meshgan.viewer.window.controls import Panel, Perform, SliderRow

FEW_LABELS = 20  # more go into a list instead of buttons
LETTERS, FRAME, MOST_COLUMNS = 40, 3, 7  # of a row of buttons, and of the frame around each
ANY = "any"


def model_panel(stage: ModelScene, em: float, perform: Perform) -> Panel:
    """Sliders and labels of every code, and what can be done with two faces."""
    panel = Panel(em, perform)
    panel.widget.add_child(
        panel.row(
            panel.button("Random", stage.randomise),
            panel.button("Reset", stage.reset),
            panel.button("Undo", stage.undo),
            panel.button("Redo", stage.redo),
        )
    )
    for factor in stage.groups:
        _add_factor(panel, stage, factor)
    _add_two_faces(panel, stage)
    return panel


def _add_factor(panel: Panel, stage: ModelScene, factor: str) -> None:
    labels = stage.model.model.factors.get(factor, ())
    group = panel.group(factor, is_open=bool(labels))
    few = len(labels) <= FEW_LABELS
    line: list[gui.Widget] = [
        panel.button("Random", lambda: stage.randomise(factor)),
        panel.button("Mean", lambda: stage.reset(factor)),
    ]
    if labels and not few:
        names = ["choose a label", *labels]
        line.append(
            panel.choice(
                names,
                lambda: stage.face.labels.get(factor, names[0]),
                lambda name: name in labels and stage.apply_label(factor, name),
            )
        )
    group.add_child(panel.row(*line))
    if labels and few:
        grid = gui.VGrid(_columns(labels), 0.3 * panel.em)
        for label in labels:
            grid.add_child(panel.button(label, _applies(stage, factor, label)))
        group.add_child(grid)
    count = stage.groups[factor].count
    group.add_child(panel.sliders([_direction(stage, factor, k) for k in range(count)]))


def _columns(labels: Sequence[str]) -> int:
    """How many buttons fit beside each other."""
    width = sum(map(len, labels)) / len(labels) + FRAME
    return max(1, min(MOST_COLUMNS, int(LETTERS / width)))


def _applies(stage: ModelScene, factor: str, label: str) -> Callable[[], object]:
    return lambda: stage.apply_label(factor, label)


def _direction(stage: ModelScene, factor: str, k: int) -> SliderRow:
    moved_mm = stage.groups[factor].movements_mm[k]
    return SliderRow(
        f"{k + 1}  {moved_mm:.1f} mm",
        lambda: stage.slider_values(factor)[k],
        lambda value: stage.set_slider(factor, k, value),
        -REACH,
        lambda: REACH,
        tooltip=f"standard deviations; one moves the face by {moved_mm:.2g} mm (RMS)",
    )


def _add_two_faces(panel: Panel, stage: ModelScene) -> None:
    group = panel.group("two faces")
    sides = ["left", "right"]
    group.add_child(
        panel.row(
            panel.checkbox("show both", lambda: stage.pair.both, stage.show_both),
            panel.label("sliders move"),
            panel.choice(
                sides,
                lambda: sides[stage.pair.active],
                lambda side: stage.select(sides.index(side)),
            ),
        )
    )
    moves = [panel.label("left to right:")]
    moves += [
        panel.button(factor, _transfers(stage, factor))
        for factor in stage.groups
        if factor != NOISE
    ]
    group.add_child(panel.row(*moves, panel.button("Swap", stage.swap)))
    towards = SliderRow("towards the other", lambda: stage.blend_share, stage.blend)
    group.add_child(panel.sliders([towards]))


def _transfers(stage: ModelScene, factor: str) -> Callable[[], object]:
    return lambda: stage.transfer(factor)


def data_panel(stage: DataScene, em: float, perform: Perform) -> Panel:
    """Which rows to look at, and which of them now."""
    panel = Panel(em, perform)
    group = panel.group("faces with the labels")
    for factor, labels in stage.store.factors.items():
        names = panel.choice(
            [ANY, *labels],
            lambda factor=factor: stage.wanted.get(factor, ANY),
            lambda name, factor=factor: _choose(stage, factor, name),
        )
        group.add_child(panel.row(panel.label(factor), names))
    rows = panel.group("row")
    count = gui.Label("1 of 1,000,000")  # as wide as it may become
    labels = gui.Label("")

    def sync() -> None:
        count.text = f"{stage.place + 1:,} of {len(stage.rows):,}"
        labels.text = "\n".join(f"{name}: {label}" for name, label in stage.labels().items())

    panel.syncs.append(sync)
    place = SliderRow(
        "face",
        lambda: stage.place,
        lambda at: stage.go(int(at)),
        high=lambda: max(len(stage.rows) - 1, 1),
        whole=True,
    )
    rows.add_child(panel.sliders([place]))
    rows.add_child(
        panel.row(
            panel.button("Previous", lambda: stage.step(-1)),
            panel.button("Next", lambda: stage.step(1)),
            count,
        )
    )
    rows.add_child(labels)
    return panel


def _choose(stage: DataScene, factor: str, name: str) -> None:
    kept = {known: label for known, label in stage.wanted.items() if known != factor}
    stage.choose(kept if name == ANY else {**kept, factor: name})


def display_panel(stage: Stage, em: float, perform: Perform) -> Panel:
    """How things are shown."""
    panel = Panel(em, perform)
    group = panel.group("show")
    if len(stage.colourings) > 1:
        names = {COLOURINGS[one]: one for one in stage.colourings}
        colour = panel.choice(
            list(names),
            lambda: COLOURINGS[stage.display.colour_by],
            lambda name: stage.show(colour_by=names[name]),
        )
        group.add_child(panel.row(panel.label("colour"), colour))
    line: list[gui.Widget] = [
        panel.checkbox(
            "wireframe",
            lambda: stage.display.wireframe,
            lambda on: stage.show(wireframe=on),
        )
    ]
    if stage.template.landmarks:
        none = "no landmarks"
        line.append(
            panel.choice(
                [none, *stage.template.landmarks],
                lambda: stage.display.landmarks or none,
                lambda name: stage.show(landmarks="" if name == none else name),
            )
        )
    group.add_child(panel.row(*line))
    return panel
