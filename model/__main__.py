"""`python -m model`, or `python -m diffumask` where it is installed: see `cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
