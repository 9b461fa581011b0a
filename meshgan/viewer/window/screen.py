"""How large letters are on this screen, asked before there is a window."""

import ctypes
import re

DPI = 96.0


def screen_scaling() -> float:
    """Pixels per point of an X11 screen, 1 or more: what a window will call its scaling.

    Open3D makes letters larger where the desktop says so (``Xft.dpi``), but takes the size of a
    window in pixels; so it must be known before the window opens. 1 where there is no X11.
    """
    try:
        library = ctypes.CDLL("libX11.so.6")
    except OSError:
        return 1.0
    library.XOpenDisplay.restype = ctypes.c_void_p
    library.XResourceManagerString.argtypes = [ctypes.c_void_p]
    library.XResourceManagerString.restype = ctypes.c_char_p
    library.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = library.XOpenDisplay(None)
    if not display:
        return 1.0
    try:
        return scaling_of(library.XResourceManagerString(display) or b"")
    finally:
        library.XCloseDisplay(display)


def scaling_of(resources: bytes) -> float:
    """The scaling that a desktop's X resources ask for."""
    found = re.search(rb"^Xft\.dpi:\s*([\d.]{1,8})\s*$", resources, re.MULTILINE)
    return max(1.0, float(found[1]) / DPI) if found else 1.0
