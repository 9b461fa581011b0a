"""Run by test_window.py: a window that writes what it shows, and where its controls are.

Usage: python -m tests.viewer.drive_window WHAT FOLDER [MESH to fit at the start]
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

from meshgan.viewer.opening import open_stage
from meshgan.viewer.window.app import ViewerWindow

SIZE_PX = (1000, 700)


class RecordedWindow(ViewerWindow):
    """Writes ``state.npz`` after each change, and ``controls.json`` once everything is placed."""

    changes = 0

    def refresh(self) -> None:
        super().refresh()
        self.changes += 1
        faces = np.stack([np.asarray(one, dtype=np.float32) for one in self.stage.current()])
        temporary = self.folder / "state.tmp.npz"
        np.savez(temporary, changes=self.changes, faces=faces, caption=self.stage.caption())
        os.replace(temporary, self.folder / "state.npz")

    def write_controls(self) -> None:
        frames = {
            name: [widget.frame.x, widget.frame.y, widget.frame.width, widget.frame.height]
            for panel in self.panels
            for name, widget in panel.named.items()
        }
        view = self.view.frame
        frames["view"] = [view.x, view.y, view.width, view.height]
        temporary = self.folder / "controls.tmp"
        temporary.write_text(json.dumps(frames))
        os.replace(temporary, self.folder / "controls.json")


def main() -> None:
    what, folder, *mesh = map(Path, sys.argv[1:])
    window = RecordedWindow(open_stage(what), folder, SIZE_PX)

    def later() -> None:
        time.sleep(2)
        window.app.post_to_main_thread(window.window, window.write_controls)
        if mesh:
            window.app.post_to_main_thread(window.window, lambda: window.fit(mesh[0]))

    threading.Thread(target=later, daemon=True).start()
    window.run()


if __name__ == "__main__":
    main()
