"""What decides how texts are split, as one hash: data sets are built again when it changes, and only then."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from .rules import word_lists

_FOLDER = Path(__file__).parent
_CODE = (*(_FOLDER / f"{module}.py" for module in ("passages", "sentences", "stops", "quotations", "rules")), _FOLDER.parent / "characters.py")


@functools.cache
def fingerprint() -> str:
    """Hash of the code and of the word lists that make passages; comments, and the order of a list, do not count."""
    content = hashlib.sha256(code_digest(_CODE).encode())
    for name, lists in word_lists().items():
        content.update(f"{name}:{sorted((key, sorted(text.split())) for key, text in lists.items())}\n".encode())
    return content.hexdigest()


def code_digest(modules: Iterable[Path]) -> str:
    """Hash what modules do: their syntax trees, without comments, docstrings and layout."""
    digest = hashlib.sha256()
    for module in modules:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        digest.update(f"{module.name}:{ast.dump(tree)}\n".encode())
    return digest.hexdigest()
