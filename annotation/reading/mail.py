"""Saved mails (.eml), newsletters say."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from email.message import MIMEPart
from email.utils import parseaddr
from typing import cast

from ..errors import NewsmarkError
from .encodings import decode_text
from .html import read_page
from .lines import join_lines, unwrap
from .sources import Entry, ReadingOptions, Source, article


def read_mail_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read a mail as its reader sees it: its text in HTML where there is one, else the plain text, with all its parts; attachments are left out.

    Raises:
        NewsmarkError: it holds no text.
    """
    mail = email.message_from_bytes(source.read(), policy=email.policy.default)
    parts = _shown(mail) if mail.keys() else []
    if not parts:
        raise NewsmarkError(f"{source.name}: no mail with a text; .eml files begin with lines such as From: and Subject:")
    text = "\n".join(filter(None, (_text(part, source.name, options) for part in parts)))
    sent = getattr(mail["date"], "datetime", None)
    name, address = parseaddr(str(mail["from"] or ""))
    yield article(source, text, {"title": str(mail["subject"] or ""), "author": name or address, "date": sent.isoformat() if sent else ""})


def _shown(part: MIMEPart) -> list[MIMEPart]:
    """The parts with text that a reader sees, in their order; of alternatives the one in HTML, else the first with text."""
    if part.is_attachment():
        return []
    kind = part.get_content_type()
    if not part.is_multipart():
        return [part] if kind in {"text/plain", "text/html"} else []
    inside = [_shown(one) for one in part.iter_parts()] if part.get_content_maintype() == "multipart" else []
    if kind == "multipart/alternative":
        in_html = (shown for shown in inside if any(one.get_content_type() == "text/html" for one in shown))
        return next(in_html, None) or next(filter(None, inside), [])
    return inside[0] if kind == "multipart/related" and inside else [one for shown in inside for one in shown]


def _text(part: MIMEPart, where: str, options: ReadingOptions) -> str:
    raw, charset = cast("bytes", part.get_payload(decode=True)), part.get_content_charset()
    if part.get_content_subtype() == "html":
        return read_page(raw, where, replace(options, furniture=False), charset).text
    return join_lines(unwrap(decode_text(raw, where, options.encoding, charset).split("\n")))
