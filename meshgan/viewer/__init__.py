"""A window on a model: what is shown, apart from the window that shows it."""
