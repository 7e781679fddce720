"""A process that saves corrections and synchronises them with a log until it is killed.

python -m tests.support.syncing URL FOLDER NAME: each id is printed when, and only when, `submit` has returned.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from annotations.store import open_store
from annotations.sync.log import Sync
from annotations.sync.places import Folder
from tests.support.saving import fields


def main(url: str, folder: str, name: str) -> None:
    store = open_store(url)
    sync = Sync(store, Folder(Path(folder)))
    for i in range(10_000):
        sent = fields(f"Prompt {i} of {name}", annotator=name)
        store.submit(sent)
        os.write(1, f"{sent['id']}\n".encode())
        sync.once()


if __name__ == "__main__":
    main(*sys.argv[1:])
