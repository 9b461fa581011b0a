"""Transfer an expression from one mesh to another: ``python tools/transfer_expression.py --help``.

The same as ``meshgan transfer``, for scripts that call a file.
"""

import sys

from meshgan.cli.main import main

if __name__ == "__main__":
    main(["transfer", *sys.argv[1:]])
