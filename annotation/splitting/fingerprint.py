"""What decides how texts are split, as one hash: data sets are built again when it changes, and only then."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

_FOLDER = Path(__file__).parent
_CODE = (_FOLDER / "passages.py", _FOLDER.parent / "characters.py")


@functools.cache
def fingerprint() -> str:
    """Hash of the code and of the libraries that make passages."""
    return hashlib.sha256(f"{code_digest(_CODE)} {importlib.metadata.version('sentencex')}".encode()).hexdigest()


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
