"""A data set folder as one zip file, and back, however hostile the zip."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotations.errors import ExportError
from annotations.files.scratch import temporary_folder

ENTRY_LIMIT = 100  # Parquet files in a zip
SIZE_LIMIT = 2**31  # bytes that they unpack to, together


def zip_folder(folder: Path, path: Path) -> None:
    """Write the files of a data set folder into a zip, without a folder around them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # Parquet is compressed already
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))


@contextmanager
def unzipped(path: Path) -> Iterator[Path]:
    """The data set folder in a zip, for as long as the block lasts; any other file is yielded as it is.

    Only data/*.parquet is unpacked, and under other names than in the zip. Raises ExportError when the zip is damaged
    or too large.
    """
    if path.suffix.lower() != ".zip":
        yield path
        return
    with temporary_folder() as folder:
        try:
            _unpack(path, folder / "set" / "data")
        except ExportError:
            raise
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError):
            raise ExportError("this is not a zip file that can be read: export it again") from None
        yield folder / "set"


def _unpack(path: Path, data: Path) -> None:
    data.mkdir(parents=True)
    left = SIZE_LIMIT
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if _is_data(entry.filename)]
        if not entries:
            raise ExportError("the zip holds no data/*.parquet")
        if len(entries) > ENTRY_LIMIT:
            raise ExportError(f"the zip holds {len(entries):,} Parquet files; at most {ENTRY_LIMIT} are read")
        for i, entry in enumerate(entries):
            left -= entry.file_size  # no more is ever unpacked of an entry than it says
            if left < 0:
                raise ExportError(f"the zip unpacks to more than {SIZE_LIMIT:,} bytes")
            with archive.open(entry) as source, open(data / f"{i:03}.parquet", "wb") as target:
                shutil.copyfileobj(source, target)


def _is_data(name: str) -> bool:
    """ "data/x.parquet", also inside one folder, as zips made by hand are."""
    parts = name.split("/")
    return len(parts) in (2, 3) and parts[-2] == "data" and parts[-1].endswith(".parquet")
