"""Changing faces by their codes: paths between them, arithmetic, transfer, speech, actions."""
