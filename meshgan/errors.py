"""What can go wrong, in words a user can act on.

Every message follows one pattern: ``WHERE: what was found, what was expected; what to do next``.
The command line prints it on one line and exits with 2 for bad input, 1 for a job that failed.
"""


class MeshGANError(Exception):
    """Base of every exception that meshgan raises on purpose."""


class InputError(MeshGANError, ValueError):
    """The input is wrong: a file, a setting, an argument. The message names it."""


class FileFormatError(InputError):
    """A file cannot be read as what its name or its caller says it is."""


class ShapeError(InputError):
    """Arrays do not fit each other: another topology, vertex count, factor or size."""


class ConfigError(InputError):
    """A configuration has an unknown key, a value of the wrong type or out of range."""


class JobError(MeshGANError):
    """The input was good but the job failed: disk full, divergence, a missing extra."""


class DivergenceError(JobError):
    """Training produced a value that is not finite, or left every reasonable range."""


class MissingExtraError(JobError):
    """An optional package or system library is needed here; the message says how to get it."""
