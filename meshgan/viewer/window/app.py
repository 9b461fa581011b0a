"""The window: faces on the left, controls on the right, a line of help below."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from open3d import geometry
from open3d.visualization import gui, rendering
from PIL import Image

from meshgan.data.mesh_io import FORMATS, READABLE_FORMATS
from meshgan.errors import JobError, MeshGANError
from meshgan.pictures.sheet import colour_legend, save_png
from meshgan.viewer.actions import actions_of
from meshgan.viewer.browse import DataScene
from meshgan.viewer.face import Face
from meshgan.viewer.scene import ModelScene
from meshgan.viewer.screenshot import with_legend
from meshgan.viewer.stage import COLOURINGS, Stage
from meshgan.viewer.window.controls import Panel
from meshgan.viewer.window.drawing import FIELD_OF_VIEW_DEG, Drawing
from meshgan.viewer.window.panels import data_panel, display_panel, model_panel
from meshgan.viewer.window.screen import screen_scaling

SIZE_PX = (1280, 800)
PANEL_EM, LEGEND_EM = 24.0, 20.0
LIGHT_TURN = 0.03  # change of the camera's rotation after which the light follows
HELD = "NP"  # keys that go on as long as they are held
"""Key code of each key that an action may have."""
KEYS = {ord(letter.lower()): letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}


class ViewerWindow:
    """A window on a stage; it lasts until ``run`` returns.

    Args:
        stage: what to show.
        folder: where screenshots go, and where dialogs start.
        size_px: of the window, in points of the screen.
    """

    def __init__(self, stage: Stage, folder: Path, size_px: tuple[int, int] = SIZE_PX) -> None:
        self.stage, self.folder = stage, folder
        self.note = ""  # what the last action has to say, if not what the faces are
        self.app = gui.Application.instance
        self.app.initialize()
        scaling = screen_scaling()
        self.window = self.app.create_window(
            stage.title, *(round(scaling * one) for one in size_px)
        )
        self.em = self.window.theme.font_size
        self.view = gui.SceneWidget()
        self.view.scene = rendering.Open3DScene(self.window.renderer)
        self.drawing = Drawing(self.view.scene, stage, self.window.scaling)
        self.panels = self._panels()
        around = gui.Margins(0.5 * self.em, 0.4 * self.em, 1.2 * self.em, 0.4 * self.em)
        self.column = gui.ScrollableVert(0.2 * self.em, around)
        for panel in self.panels:
            self.column.add_child(panel.widget)
        self.column.add_child(self._files())
        self.message = gui.Label("")
        self.legend = gui.ImageWidget()
        self._legend_key: tuple[str, float] | None = None
        self._light_from = np.eye(3, dtype=np.float32)
        self._busy = False
        for widget in (self.view, self.column, self.message, self.legend):
            self.window.add_child(widget)
        self.window.set_on_layout(self._layout)
        self.window.set_on_key(self._key)
        self.window.set_on_tick_event(self._tick)
        self._actions = actions_of(stage)
        self.drawing.update()
        self._front()
        self.refresh()
        self.say(f"{stage.summary()}   (H: keys)")

    def run(self) -> None:
        """Show the window until it is closed."""
        self.app.run()

    def refresh(self) -> None:
        """Draw the stage as it is, and make the controls agree."""
        self.drawing.update()
        self._light_from = self.drawing.view()
        for panel in self.panels:
            panel.sync()
        self._update_legend()
        self.window.post_redraw()

    def perform(self, action: Callable[[], object]) -> None:
        """Do something to the stage and show it; what goes wrong is said in the window."""
        if self._busy:
            return
        count, self.note = len(self.stage.current()), ""
        try:
            action()
        except MeshGANError as error:
            self.note = str(error)
        self.say(self.note or self.stage.caption())
        if len(self.stage.current()) != count:
            self._front()
        self.refresh()

    def say(self, text: str) -> None:
        """A line at the lower edge of the picture."""
        self.message.text = f"  {text}"  # the label has no margin of its own
        self.window.set_needs_layout()

    def screenshot(self) -> None:
        """Write what is shown beside the controls to the next free ``view_NNN.png``."""
        path = next(
            one for k in range(1, 10_000) if not (one := self.folder / f"view_{k:03d}.png").exists()
        )

        def write(image: geometry.Image) -> None:
            save_png(with_legend(np.asarray(image)[..., :3], self.stage), path)
            self.say(f"screenshot: {path}")

        self.view.scene.scene.render_to_image(write)

    def _panels(self) -> list[Panel]:
        panels = []
        if isinstance(self.stage, ModelScene):
            panels.append(model_panel(self.stage, self.em, self.perform))
        elif isinstance(self.stage, DataScene):
            panels.append(data_panel(self.stage, self.em, self.perform))
        return [*panels, display_panel(self.stage, self.em, self.perform)]

    def _files(self) -> gui.Widget:
        panel, stage = Panel(self.em, self.perform), self.stage
        group = panel.group("files")
        line = [panel.button("Screenshot", self.screenshot)]
        line.append(self._dialog_button("Save mesh", FORMATS, self._saving(stage.save_mesh)))
        group.add_child(panel.row(*line))
        if isinstance(stage, ModelScene):
            codes = ("npz",)
            line = [
                self._dialog_button("Fit mesh", READABLE_FORMATS, self.fit, save=False),
                self._dialog_button("Save codes", codes, self._saving(stage.save_codes)),
                self._dialog_button("Load codes", codes, stage.load_codes, save=False),
            ]
            group.add_child(panel.row(*line))
            group.add_child(
                panel.checkbox(
                    "keep what the model lacks of a fitted mesh",
                    lambda: stage.display.detail,
                    lambda on: stage.show(detail=on),
                )
            )
        self.panels.append(panel)
        return panel.widget

    def _saving(self, method: Callable[[Path], None]) -> Callable[[Path], None]:
        def save(path: Path) -> None:
            method(path)
            self.note = f"written: {path}"

        return save

    def _dialog_button(
        self,
        text: str,
        suffixes: tuple[str, ...],
        chosen: Callable[[Path], object],
        save: bool = True,
    ) -> gui.Button:
        """A button that asks for a file and hands it on."""

        def ask() -> None:
            kind = gui.FileDialog.SAVE if save else gui.FileDialog.OPEN
            dialog = gui.FileDialog(kind, text, self.window.theme)
            if not save:
                dialog.add_filter(" ".join(f".{suffix}" for suffix in suffixes), "all of them")
            for suffix in suffixes:
                dialog.add_filter(f".{suffix}", f"*.{suffix}")
            dialog.set_path(str(self.folder))
            dialog.set_on_cancel(self.window.close_dialog)
            dialog.set_on_done(done)
            self.window.show_dialog(dialog)

        def done(path: str) -> None:
            self.window.close_dialog()
            self.perform(lambda: chosen(Path(path)))

        button = gui.Button(text)
        button.horizontal_padding_em, button.vertical_padding_em = 0.45, 0.08
        button.set_on_clicked(ask)
        return button

    def fit(self, path: Path) -> None:
        """Fit beside the main thread, so that the window stays alive; then show the result."""
        stage = self.stage
        assert isinstance(stage, ModelScene)
        self._busy = True
        self.note = f"fitting the model to {path.name} ..."

        def show(found: Face | MeshGANError) -> None:
            self._busy = False
            if isinstance(found, MeshGANError):
                self.say(str(found))
                return
            self.perform(lambda: stage.place(found))
            self.say(f"{path.name}: the model stays {found.fit_rms_mm:.2f} mm (RMS) from it")

        def work() -> None:
            try:
                found: Face | MeshGANError = stage.fit_file(path)
            except MeshGANError as error:
                found = error
            except Exception as error:  # the window must not wait for ever
                found = JobError(f"{path}: the fit failed ({error})")
            self.app.post_to_main_thread(self.window, lambda: show(found))

        threading.Thread(target=work, daemon=True).start()

    def _layout(self, context: gui.LayoutContext) -> None:
        place = self.window.content_rect
        panel = min(PANEL_EM * self.em, 0.45 * place.width)
        inset, line = 0.8 * self.em, 1.7 * self.em
        left, height = place.width - panel, place.height - line
        self.view.frame = gui.Rect(place.x, place.y, left, height)
        self.message.frame = gui.Rect(place.x, place.y + height, left, line)
        self.column.frame = gui.Rect(place.x + left, place.y, panel, place.height)
        shown = self.legend.calc_preferred_size(context, gui.Widget.Constraints())
        self.legend.frame = gui.Rect(
            place.x + inset, place.y + height - inset - shown.height, shown.width, shown.height
        )

    def _front(self) -> None:
        """The camera in front of the faces."""
        place = self.window.content_rect
        width = max(place.width - PANEL_EM * self.em, 1)
        centre, eye = self.drawing.camera(width / max(place.height, 1))
        self.view.setup_camera(FIELD_OF_VIEW_DEG, self.drawing.box(), centre)
        self.view.look_at(centre, eye, [0, 1, 0])

    def _key(self, event: gui.KeyEvent) -> bool:
        if event.type != gui.KeyEvent.Type.DOWN:
            return False
        letter = KEYS.get(int(event.key))
        if letter is None:
            return False
        if event.is_repeat and letter not in HELD:
            return True
        if letter == "S":
            self.perform(self.screenshot)
        elif letter == "F":
            self._front()
            self.refresh()
        elif letter == "H":
            self._help()
        elif letter in self._actions:
            self.perform(self._actions[letter].run)
        else:
            return False
        return True

    def _help(self) -> None:
        own = {key: action.does for key, action in self._actions.items()}
        lines = own | {"F": "camera to the front", "S": "screenshot", "H": "this list"}
        mouse = "drag: turn   ctrl+drag: move   wheel: nearer or farther"
        text = "\n".join([*(f"{key}   {does}" for key, does in lines.items()), "", mouse])
        self.window.show_message_box("keys", text)

    def _tick(self) -> bool:
        """The light stays beside the viewer when the camera turns."""
        turned = np.abs(self.drawing.view() - self._light_from).max()
        if turned > LIGHT_TURN:
            self.drawing.update()
            self._light_from = self.drawing.view()
            return True
        return False

    def _update_legend(self) -> None:
        colour_by = self.stage.display.colour_by
        key = (colour_by, self.stage.largest_mm)
        self.legend.visible = colour_by != "skin"
        if colour_by != "skin" and key != self._legend_key:
            scaling = self.window.scaling
            width = round(LEGEND_EM * self.em / scaling)
            small = colour_legend(self.stage.largest_mm, COLOURINGS[colour_by], width)
            size = (round(scaling * small.width), round(scaling * small.height))
            picture = small.resize(size, Image.Resampling.LANCZOS)
            self.legend.update_image(_image(np.asarray(picture)))
            self._legend_key = key
            self.window.set_needs_layout()


def _image(picture: np.ndarray) -> geometry.Image:
    pixels: Any = np.ascontiguousarray(picture)
    return geometry.Image(pixels)


def open_window(stage: Stage, folder: Path, size_px: tuple[int, int] = SIZE_PX) -> None:
    """Show a stage in a window until the user closes it; pictures go to ``folder``."""
    ViewerWindow(stage, folder, size_px).run()
