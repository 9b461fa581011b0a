"""``meshgan doctor``."""

from dataclasses import dataclass

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Doctor(Command):
    """Say what is installed, what is missing and how to get it.

    Example: meshgan doctor
    """

    def __call__(self) -> Summary:
        from meshgan.apps.doctor import examine

        return examine()
