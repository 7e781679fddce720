"""Links that open Explore with settings, and with the text where its owner wants that.

Everything stands behind the link's "#", which browsers do not send to any server. Its end is a checksum, so that a link
that was cut on its way says so.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

from model.errors import InputError
from model.prompt.limits import MAX_CHARACTERS

MARK = "#try="
MOST_CHARACTERS = 8000  # of a link; longer ones are cut by many programs
_MOST_BYTES = 6 * MAX_CHARACTERS  # unpacked
_CUT = "This link is not whole: a part of it was lost on its way. Ask for it again, or set everything by hand."


def packed(values: Mapping[str, Any]) -> str:
    """What a link has behind its address; "" where it would be too long.

    >>> unpacked(packed({"retention": 35}))
    {'retention': 35}
    """
    data = json.dumps(values, separators=(",", ":")).encode()
    body = zlib.compress(data, 9)
    link = MARK + base64.urlsafe_b64encode(body + zlib.crc32(data).to_bytes(4, "big")).decode().rstrip("=")
    return link if len(link) <= MOST_CHARACTERS else ""


def unpacked(link: str) -> dict[str, Any]:
    """The values of a link. Raises InputError when it was cut or altered."""
    code = link.removeprefix(MARK)[:MOST_CHARACTERS]
    try:
        raw = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(raw[:-4], _MOST_BYTES)
        if not unpacker.eof or zlib.crc32(data) != int.from_bytes(raw[-4:], "big"):
            raise InputError(_CUT)
        values = json.loads(data)
    except (ValueError, binascii.Error, zlib.error, RecursionError):
        raise InputError(_CUT) from None
    if not isinstance(values, dict):
        raise InputError(_CUT)
    return values
