"""The most memory that this process has held, since a chosen moment where the system allows it."""

import resource
from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> bool:
    """Start counting anew; False where that is not possible (the peak is then of all the run)."""
    try:
        _FORGET.write_text("5")
    except OSError:
        return False
    return True


def peak_memory_mb() -> float:
    """Largest resident memory since ``forget_peak``, else since the start, MB (10^6 bytes)."""
    try:
        lines = _STATUS.read_text().splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / 1e6
