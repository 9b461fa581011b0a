"""The kinds of runs: for each a module with its settings and what comes before its training.

A module has ``Config``, a subclass of ``run_config.RunConfig``, and
``prepare(store, config, rank, fresh) -> prepare.Prepared``.
"""

import importlib
from types import ModuleType

from meshgan.apps.run_config import RunConfig
from meshgan.errors import ConfigError

TASKS = {
    name: f"meshgan.apps.tasks.{name}"
    for name in ("decoupled_gan", "pca", "multilinear", "mae", "coma", "embedding")
}


def module_of(task: str) -> ModuleType:
    """The module of a kind of run."""
    return importlib.import_module(TASKS[task])


def config_of(task: object, where: str = "settings") -> type[RunConfig]:
    """The class of the settings of a kind of run.

    Raises:
        ConfigError: there is no such kind.
    """
    if not isinstance(task, str) or task not in TASKS:
        raise ConfigError(f"{where}: task is {task!r}, expected one of {', '.join(TASKS)}")
    return module_of(task).Config
