"""The account of a Label Studio that newsmark started, and where that server is: two files in its data folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..errors import NewsmarkError

CREDENTIALS = "credentials.json"
"""File in the data folder that holds what to log in with."""

_URL = "url"


@dataclass(frozen=True)
class Credentials:
    """The administrator's account and the key that signs sessions; only the user name may be shown."""

    username: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    secret_key: str = field(repr=False)


def read_credentials(data: Path) -> Credentials | None:
    """Read what to log in with.

    Args:
        data: data folder of the server.

    Returns:
        None where no server was ever started with this folder.

    Raises:
        NewsmarkError: the file is damaged.
    """
    path = data / CREDENTIALS
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        values = {one.name: row[one.name] for one in fields(Credentials)}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        values = {}
    if not values or not all(isinstance(value, str) and value for value in values.values()):
        raise NewsmarkError(f"{path}: not the credentials of a Label Studio that newsmark started; restore the file or use another data folder")
    return Credentials(**values)


def read_url(data: Path) -> str | None:
    """Address of the server that was last started with a data folder; None where none was."""
    path = data / _URL
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def write_url(data: Path, url: str) -> None:
    """Note the address of the server that was started with a data folder."""
    (data / _URL).touch(mode=0o600)
    (data / _URL).write_text(url + "\n", encoding="utf-8")


def ensure_credentials(data: Path) -> Credentials:
    """Make a data folder that only its owner can read, with new credentials, or read those that are there.

    Raises:
        NewsmarkError: the folder holds something else.
    """
    if data.exists() and not data.is_dir():
        raise NewsmarkError(f"{data}: not a folder; name a new or empty folder for Label Studio's data")
    known = read_credentials(data)
    if known is None:
        if data.is_dir() and any(data.iterdir()):
            raise NewsmarkError(f"{data}: not empty and without {CREDENTIALS}; name a new or empty folder for Label Studio's data, or restore that file")
        data.mkdir(parents=True, exist_ok=True)
        known = Credentials("admin@example.org", secrets.token_urlsafe(24), secrets.token_hex(20), secrets.token_urlsafe(50))
        with os.fdopen(os.open(data / CREDENTIALS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(known), indent=2) + "\n")
    data.chmod(0o700)  # articles and annotations are stored here
    return known
