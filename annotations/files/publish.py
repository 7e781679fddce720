"""Publish the shared corpus: what was contributed and accepted, as a data set with a card on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from annotations.errors import ExportError
from annotations.files.export import export
from annotations.files.scratch import temporary_folder
from annotations.results import Filter
from annotations.store import Store
from model.errors import InputError
from model.hub import HubRepo

PUBLISHED = Filter(("accepted",), contributed=True)


def publish(store: Store, name: str, private: bool = True) -> int:
    """Make the data set "owner/name" hold exactly the accepted contributions; returns how many.

    private: where it is new. What was taken back or erased since the last time is gone from its history, too. Raises
    ExportError when there is nothing to publish, or the Hub does not take it.
    """
    with temporary_folder() as scratch:
        folder = scratch / "set"
        corrections = store.fetch(store.keys(PUBLISHED))
        count = export((one for one in corrections if one.licence), folder, "dataset")
        if not count:
            raise ExportError("nothing is contributed and accepted yet, so there is nothing to publish")
        try:
            _upload(HubRepo(name, "dataset"), folder, count, private)
        except InputError as error:
            raise ExportError(str(error)) from error
    return count


def _upload(repo: HubRepo, folder: Path, count: int, private: bool) -> None:
    repo.create(private)
    files: dict[str, bytes | Path] = {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }
    old = [name for name in repo.contents().sizes if name.startswith("data/") and name not in files]
    repo.commit(files, f"{count} corrections", remove=old)
    repo.forget_history()
