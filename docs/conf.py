"""Sphinx configuration."""

import meshgan

project = "meshgan"
release = version = meshgan.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["dollarmath", "colon_fence"]
autodoc_typehints = "description"
autodoc_mock_imports = ["open3d", "pytorch3d"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"meshgan {release}"
