"""The page at /docs: what the server takes and answers, as plain HTML that loads nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>newsmark</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
pre {{ background: #f4f4f4; padding: 1em; overflow: auto }}
</style>
<h1>newsmark</h1>
<p>{description} The same as data: <a href="openapi.json">openapi.json</a>.</p>
<pre>curl -s http://HOST:PORT/invocations -H 'Content-Type: application/json' \\
  -d '{{"inputs": [{{"text": "Ministern lovar sänkta utsläpp.", "lang": "sv"}}], "params": {{"split": true}}}}'</pre>
{operations}
<h2>What is sent and answered</h2>
{schemas}
"""


def make_page(interface: dict[str, Any]) -> str:
    """Make the page from an OpenAPI description."""
    operations, schemas = [], []
    for path, methods in interface["paths"].items():
        for method, operation in methods.items():
            answers = "".join(f"<li>{status}: {escape(answer.get('description', ''))}" for status, answer in operation["responses"].items())
            operations.append(f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation.get('description', ''))}<ul>{answers}</ul>")
    for name, schema in interface["components"]["schemas"].items():
        schemas.append(f'<h3 id="{escape(name)}">{escape(name)}</h3><pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>')
    return _PAGE.format(description=escape(interface["info"]["description"]), operations="\n".join(operations), schemas="\n".join(schemas))
