"""`python -m model`: see `model.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
