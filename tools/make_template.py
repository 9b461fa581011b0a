"""Write the default templates as files: ``python tools/make_template.py FOLDER [NAME ...]``."""

import sys
from pathlib import Path

from meshgan.apps.template import build_template
from meshgan.data.synthetic.recipe import RESOLUTIONS


def main(folder: str, *names: str) -> None:
    """Build the named templates, all if none is named, into a folder."""
    for name in names or RESOLUTIONS.values():
        summary = build_template(name, Path(folder) / f"{name}.npz")
        print(f"{summary['file']}: {summary['vertices']:,} vertices, picture {summary['picture']}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
