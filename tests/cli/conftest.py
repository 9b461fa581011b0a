"""Commands set up logging for their process: put it back after each test."""

import logging

import pytest


@pytest.fixture(autouse=True)
def restored_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def meshgan(capsys):
    """Run a command in this process: its exit status, standard output and standard error."""
    from meshgan.cli.main import main

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run
