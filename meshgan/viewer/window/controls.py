"""Controls that run something on a stage, and show its state again afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from open3d.visualization import gui

BAR_EM = 0.25
Perform = Callable[[Callable[[], object]], None]
"""Runs what a control does, and lets the window follow."""


@dataclass(frozen=True)
class SliderRow:
    """A slider's name, how its value is read and set, and its range.

    ``high`` is asked for at each change; ``whole`` numbers go in steps of one.
    """

    name: str
    get: Callable[[], float]
    put: Callable[[float], object]
    low: float = 0.0
    high: Callable[[], float] = lambda: 1.0
    whole: bool = False
    tooltip: str = ""


class Panel:
    """Widgets in one column; ``sync`` makes them show what the stage says.

    ``named`` holds buttons, boxes and sliders by the group they are in and their text, as in
    "expression: happiness": where tests, and only they, look for them.

    Args:
        em: width of a letter in pixels: all sizes follow the screen's scaling.
        perform: runs what a control does.
    """

    def __init__(self, em: float, perform: Perform) -> None:
        self.em, self.perform = em, perform
        self.widget = gui.Vert(0.35 * em)
        self._title = ""
        self.syncs: list[Callable[[], None]] = []
        self.named: dict[str, gui.Widget] = {}

    def sync(self) -> None:
        """Show the state of the stage."""
        for sync in self.syncs:
            sync()

    def group(self, title: str, is_open: bool = True) -> gui.CollapsableVert:
        """A part of the column that can be folded away."""
        part = gui.CollapsableVert(
            title, 0.3 * self.em, gui.Margins(0.6 * self.em, 0.1 * self.em, 0, 0.3 * self.em)
        )
        part.set_is_open(is_open)
        self._title = title
        self.widget.add_child(part)
        return part

    def button(self, text: str, does: Callable[[], object]) -> gui.Button:
        """A button that changes the stage."""
        button = gui.Button(text)
        button.horizontal_padding_em, button.vertical_padding_em = 0.45, 0.08
        button.set_on_clicked(lambda: self.perform(does))
        self.named[f"{self._title}: {text}"] = button
        return button

    def row(self, *widgets: gui.Widget) -> gui.Horiz:
        """Widgets side by side, packed to the left."""
        line = gui.Horiz(0.4 * self.em)
        for widget in widgets:
            line.add_child(widget)
        line.add_stretch()
        return line

    def label(self, text: str) -> gui.Widget:
        """Words beside a button, at the height of its words."""
        column = gui.Vert()
        column.add_fixed(0.25 * self.em)
        column.add_child(gui.Label(text))
        return column

    def sliders(self, rows: Sequence[SliderRow]) -> gui.Widget:
        """Sliders below each other, each beside its name and above a bar that shows its range.

        The theme draws the track of a slider in the colour of the panel.
        """
        names, tracks = gui.Vert(BAR_EM * self.em), gui.Vert()
        names.add_fixed(0.2 * self.em)
        for row in rows:
            names.add_child(gui.Label(row.name))
            slider, bar = self._slider(row)
            tracks.add_child(slider)
            tracks.add_child(bar)
        line = gui.Horiz(0.5 * self.em)
        line.add_child(names)
        line.add_child(tracks)
        return line

    def _slider(self, row: SliderRow) -> tuple[gui.Slider, gui.ProgressBar]:
        slider = gui.Slider(gui.Slider.INT if row.whole else gui.Slider.DOUBLE)
        bar = gui.ProgressBar()
        slider.tooltip = row.tooltip
        slider.set_limits(row.low, row.high())
        slider.set_on_value_changed(lambda value: self.perform(lambda: row.put(float(value))))

        def sync() -> None:
            slider.set_limits(row.low, row.high())
            slider.double_value = max(row.low, min(row.high(), row.get()))
            bar.value = (slider.double_value - row.low) / (row.high() - row.low)

        self.syncs.append(sync)
        self.named[f"{self._title}: {row.name}"] = slider
        return slider, bar

    def checkbox(
        self, text: str, get: Callable[[], bool], put: Callable[[bool], object]
    ) -> gui.Checkbox:
        """A checkbox on something that is on or off."""
        box = gui.Checkbox(text)

        def sync() -> None:
            box.checked = get()

        box.set_on_checked(lambda is_on: self.perform(lambda: put(is_on)))
        self.named[f"{self._title}: {text}"] = box
        self.syncs.append(sync)
        return box

    def choice(
        self, names: list[str], get: Callable[[], str], put: Callable[[str], object]
    ) -> gui.Combobox:
        """A list of which one entry is chosen."""
        box = gui.Combobox()
        for name in names:
            box.add_item(name)

        def sync() -> None:
            wanted = get()
            if wanted in names:
                box.selected_index = names.index(wanted)

        box.set_on_selection_changed(lambda name, _: self.perform(lambda: put(name)))
        self.syncs.append(sync)
        return box
