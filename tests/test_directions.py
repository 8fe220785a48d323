"""The direction of imports, read from the source: annotation ← models ← training, and inside each package from the foundation upwards.

``make check`` runs this file; it needs nothing but the source.
"""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("annotation", "models", "training")
LONGEST = 300


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def targets(name, node):
    """Modules of newsmark that one statement of a module imports, by their names without "newsmark."; "" is newsmark.py itself."""
    if isinstance(node, ast.Import):
        return [alias.name.removeprefix("newsmark").lstrip(".") for alias in node.names if alias.name.split(".")[0] == "newsmark"]
    if not isinstance(node, ast.ImportFrom):
        return []
    if node.level:
        package = name.split(".") if FILES[name].name == "__init__.py" else name.split(".")[:-1]
        base = package[: len(package) - node.level + 1]
    elif (node.module or "").split(".")[0] == "newsmark":
        base = []
    else:
        return []
    module = ".".join([*base, *(node.module or "").removeprefix("newsmark").strip(".").split(".")]).strip(".")
    inner = [f"{module}.{alias.name}".strip(".") for alias in node.names]
    return [one if one in FILES else module for one in inner]


def only_for_types(tree):
    """Statements under ``if TYPE_CHECKING:``, which do not run."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }


def imports_of(name, with_types=True):
    left_out = set() if with_types else only_for_types(TREES[name])
    return {target for node in ast.walk(TREES[name]) if node not in left_out for target in targets(name, node)}


def inside(name, *packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def is_command_line(name):
    return name.split(".")[-1] in {"cli", "__main__"}


def breaches(importers, forbidden):
    return sorted(f"{name} imports {target}" for name in importers for target in imports_of(name) if forbidden(target))


def test_the_source_is_read_at_all():
    assert "annotation.documents" in imports_of("annotation.annotations")
    assert "models.kinds" in imports_of("models.saved")
    assert "training.cli" in imports_of("training.__main__")
    assert "annotation.errors" in imports_of("models.prediction.rows")


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("annotation", ("models", "training")),
        ("models", ("training",)),
        ("models.prediction", ("models.serving",)),
    ],
)
def test_packages_import_only_from_those_before_them(package, forbidden):
    importers = [name for name in FILES if inside(name, package)]
    assert importers
    assert breaches(importers, lambda target: inside(target, *forbidden)) == []


def test_the_foundation_of_annotation_knows_no_label_studio_and_no_other_tool():
    tools = ("annotation.label_studio", "annotation.formats")
    foundation = [name for name in FILES if inside(name, "annotation") and not inside(name, *tools) and not is_command_line(name)]
    assert breaches([name for name in FILES if inside(name, "annotation.label_studio")], lambda target: inside(target, "annotation.formats")) == []
    assert breaches(foundation, lambda target: inside(target, "annotation.formats")) == []
    assert breaches(foundation, lambda target: inside(target, "annotation.label_studio")) == []


def test_the_core_of_models_and_its_kinds_know_neither_predicting_nor_serving():
    core = [name for name in FILES if inside(name, "models") and not inside(name, "models.prediction", "models.serving") and not is_command_line(name)]
    assert breaches(core, lambda target: inside(target, "models.prediction", "models.serving")) == []


def test_nothing_imports_a_command_line():
    importers = [name for name in FILES if not name.endswith("__main__")]
    assert breaches(importers, is_command_line) == []


def test_the_packages_take_nothing_of_the_module_above_them_but_its_version():
    taken = [
        f"{name} imports {alias.name} of newsmark.py"
        for name, tree in TREES.items()
        if not name.endswith("__main__")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "" in targets(name, node)
        for alias in node.names
        if alias.name not in {"__version__", *PACKAGES}
    ]
    assert taken == []


def test_inside_the_packages_imports_of_newsmark_are_relative():
    absolute = [
        f"{name}, line {node.lineno}"
        for name, tree in TREES.items()
        if not name.endswith("__main__")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)) and targets(name, node)
    ]
    assert absolute == []


def test_no_module_imports_itself_by_way_of_others():
    graph = defaultdict(set, {name: imports_of(name, with_types=False) - {name} for name in FILES})
    circles, done = [], set()

    def visit(name, way):
        if name in way:
            circles.append(" → ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for target in sorted(graph[name]):
                visit(target, [*way, name])
            done.add(name)

    for name in FILES:
        visit(name, [])
    assert circles == []


def test_only_one_module_names_the_kinds_of_model():
    kinds = {path.parent.name for path in (ROOT / "models").glob("*/settings.py")}
    assert {"baseline", "transformer"} <= kinds
    named = []
    for name, tree in TREES.items():
        own = [kind for kind in kinds if inside(name, f"models.{kind}")]
        if name == "models.kinds":
            continue
        for kind in kinds - set(own):
            named += [f"{name} imports {target}" for target in imports_of(name) if inside(target, f"models.{kind}")]
            named += [f"{name}, line {node.lineno}: {kind!r}" for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value == kind]
    assert named == []


def test_a_longer_file_says_why_it_is_one_file():
    """A file of more than 300 lines says in its docstring why it is "one file"."""
    unexplained = [
        f"{name}: {lines} lines"
        for name, path in {**FILES, "newsmark": ROOT / "newsmark.py"}.items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
        and "one file" not in (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    ]
    assert unexplained == []
