"""``python -m meshgan``."""

from meshgan.cli.main import main

main()
