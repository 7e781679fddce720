"""Entry of the studio: `python app.py`."""

import sys

if __name__ == "__main__":
    sys.stderr.write("The studio is not built yet; compress prompts with `python -m model compress FILE`.\n")
    sys.exit(2)
