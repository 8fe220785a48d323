"""Every library that newsmark imports is declared with a range, and has an exact version in constraints.txt."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

CODE = [Path("newsmark.py"), *(path for folder in ("annotation", "models", "training") for path in sorted(Path(folder).rglob("*.py")))]
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = [*PROJECT["dependencies"], *(one for name, some in PROJECT["optional-dependencies"].items() for one in some)]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement):
    return normal(re.match(r"[\w.-]+", requirement)[0])


def imported():
    """The libraries that the code imports, by the names that they are installed under."""
    found = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
    return sorted(found - set(sys.stdlib_module_names) - {"newsmark"})


@pytest.mark.parametrize("module", imported())
def test_a_library_that_is_imported_is_declared(module):
    installed = importlib.metadata.packages_distributions()
    assert module in installed, "not installed here"
    assert {normal(name) for name in installed[module]} & set(map(name_of, DECLARED))


@pytest.mark.parametrize("requirement", sorted(set(DECLARED)))
def test_a_library_is_declared_with_a_range_and_pinned_for_the_tests(requirement):
    assert "==" not in requirement
    assert ">=" in requirement
    pinned = {name_of(line) for line in Path("constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    assert name_of(requirement) in pinned
