"""Finding the codes of a face: what a model must be asked to draw what was observed."""
