"""A program: reads a PDF from its standard input and prints the text of each page, a line of JSON each."""

from __future__ import annotations

import io
import json
import sys

MOST_CHARACTERS = 200_001  # of all pages


def main() -> None:
    """Print the pages until there are enough; "null" where the package is missing."""
    try:
        from pypdf import PdfReader
    except ImportError:
        print("null")
        return
    left = MOST_CHARACTERS
    for page in PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages:
        text = page.extract_text()[:left].encode("utf-8", "replace").decode()
        left -= len(text)
        print(json.dumps(text.strip()))
        if left <= 0:
            return


if __name__ == "__main__":
    main()
