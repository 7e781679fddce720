"""Where the database lies: what the environment says, or else the user's data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from annotations.errors import StoreError

URL_VARIABLE = "DIFFUMASK_DATABASE_URL"
DATA_VARIABLE = "DIFFUMASK_DATA"

_FOLDER = "diffumask"
_FILE = "corrections.sqlite3"


class DatabaseSettings(BaseSettings):
    """What the environment says about the database; a variable that is empty counts as not set."""

    model_config = SettingsConfigDict(env_prefix="DIFFUMASK_", frozen=True)

    data: str = Field(default="", description="folder for everything that must outlive the program")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty = a SQLite file in the data folder")


def data_dir() -> Path:
    """Where everything that must outlive the program lies: $DIFFUMASK_DATA, or the user's own data folder."""
    if chosen := DatabaseSettings().data.strip():
        return Path(chosen).expanduser().absolute()
    former = _former_data_dir()
    return former if former.is_dir() else user_data_path(_FOLDER, appauthor=False).absolute()


def _former_data_dir() -> Path:
    """Where versions before platformdirs kept the data: the same folder, unless $XDG_DATA_HOME or %LOCALAPPDATA% is
    set in an unusual way. Data that is there is still used."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _FOLDER
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / _FOLDER
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".local" / "share") / _FOLDER


def database_url() -> URL:
    """$DIFFUMASK_DATABASE_URL, or a SQLite file in `data_dir()`. StoreError when the URL is not one."""
    chosen = DatabaseSettings().database_url.strip()
    return parsed_url(chosen) if chosen else URL.create("sqlite", database=str(data_dir() / _FILE))


def parsed_url(url: str) -> URL:
    """A SQLAlchemy URL of SQLite or PostgreSQL, with the driver that is used for it. StoreError when it is neither."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"{URL_VARIABLE} is not a database URL such as sqlite:////folder/file.sqlite3") from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"{URL_VARIABLE} names {parsed.get_backend_name()!a}; only sqlite and postgresql are supported"
        )
    return parsed
