"""From bytes to text: UTF-8 first, a byte order mark decides, else what a detector finds, with a line on standard error."""

from __future__ import annotations

import codecs
from contextlib import suppress

from ..errors import NewsmarkError
from ..files import MAX_TEXT_BYTES, decode
from .messages import note

_AS_BROWSERS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
"""What browsers read in place of the encoding that a text names (https://encoding.spec.whatwg.org): the former holds more characters, quotation marks say."""

MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode_text(raw: bytes, where: str, encoding: str | None = None, declared: str | None = None, largest: int = MAX_TEXT_BYTES) -> str:
    """Decode a text.

    Args:
        raw: its bytes.
        where: its name, for messages.
        encoding: of texts that are not UTF-8, as the user names it.
        declared: what the file itself says, an HTML page say.
        largest: bytes that it may have: as many as an article, by default.

    Returns:
        The exact text; nothing is normalised.

    Raises:
        NewsmarkError: it is larger, binary, damaged UTF-8, or not in the encoding that was named.
    """
    marked = next((name for mark, name in MARKS if raw.startswith(mark)), None)
    if marked:
        return _decode_as(raw, where, marked, "its byte order mark", largest)
    if declared and raw.isascii() and not declared.lower().startswith(("utf", "ucs")) and (text := _try(raw, declared)) is not None:
        return decode(text.encode("utf-8", "surrogatepass"), where, largest)  # ISO-2022-JP, say, writes all characters with the bytes of ASCII
    try:
        return decode(raw, where, largest)
    except NewsmarkError:
        if encoding and len(raw) <= largest and not _is_utf_8(encoding):
            return _decode_as(raw, where, encoding, "--encoding", largest)
        if len(raw) > largest or b"\0" in raw or encoding or _mostly_utf_8(raw):
            raise
    if declared and (text := _try(raw, declared)) is not None:
        return text
    import chardet

    found = str(chardet.detect(raw)["encoding"] or "")
    text = _try(raw, found) if found else None
    if text is None:
        raise NewsmarkError(f"{where}: neither UTF-8 nor another encoding that can be found out; name it with --encoding")
    note(f"{where}: not UTF-8; read as {found} (--encoding names another)")
    return text


def _decode_as(raw: bytes, where: str, encoding: str, source: str, largest: int) -> str:
    text = _try(raw, encoding)
    if text is None:
        raise NewsmarkError(f"{where}: not {encoding}, which {source} says; the file is damaged or in another encoding")
    return decode(text.encode("utf-8", "surrogatepass"), where, 4 * largest)  # a character may have more bytes in UTF-8


def _try(raw: bytes, encoding: str, errors: str = "strict") -> str | None:
    with suppress(UnicodeError, LookupError):
        return raw.decode(_AS_BROWSERS.get(codecs.lookup(encoding).name, encoding), errors)
    with suppress(UnicodeError, LookupError):
        return raw.decode(encoding, errors)
    return None


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def _mostly_utf_8(raw: bytes) -> bool:
    """Whether more characters beyond ASCII are right than wrong: the text is damaged UTF-8, and any other encoding would spoil all of it."""
    if _try(raw, "utf-8", "surrogatepass") is not None:  # halves of characters, as some programs write them
        return True
    text = raw.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return sum(one > "\x7f" for one in text) - wrong > wrong
