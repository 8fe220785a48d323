"""Saved mails (.eml), newsletters say."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.utils import parseaddr

from ..errors import NewsmarkError
from .html import html_text
from .lines import join_lines, unwrap
from .sources import Entry, ReadingOptions, Source, article


def read_mail_file(source: Source, _: ReadingOptions) -> Iterator[Entry]:
    """Read a mail as its reader sees it: the HTML part if there is one, else the plain text; attachments are left out.

    Raises:
        NewsmarkError: it holds no text.
    """
    mail = email.message_from_bytes(source.read(), policy=email.policy.default)
    body = mail.get_body(("html", "plain")) if mail.keys() else None
    if body is None:
        raise NewsmarkError(f"{source.name}: no mail with a text; .eml files begin with lines such as From: and Subject:")
    content = str(body.get_content())
    text = html_text(content) if body.get_content_subtype() == "html" else join_lines(unwrap(content.split("\n")))
    sent = getattr(mail["date"], "datetime", None)
    name, address = parseaddr(str(mail["from"] or ""))
    yield article(source, text, {"title": str(mail["subject"] or ""), "author": name or address, "date": sent.isoformat() if sent else ""})
