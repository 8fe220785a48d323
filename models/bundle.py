"""A trained model as MLflow keeps it: the model folder, and the code that it runs under a package name of its own.

A program that loads a logged model may have newsmark installed in another version, or modules of its own called ``models``: the code
that comes with the model must meet neither. All imports inside newsmark are relative, so that its packages work under any name.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .kinds import KINDS, Kind
from .store import ARTIFACT

MODEL_SIZE = "model_megabytes"
"""Metric: size of the model's files."""

_ROOT = Path(__file__).resolve().parent.parent
_ENTRY = "models/serving/logged.py"
_MODEL = """from mlflow.models import set_model
from {package}.models.serving.logged import LoggedModel

set_model(LoggedModel())
"""


def log_model_folder(folder: Path, kind_name: str) -> str:
    """Log a folder that ``save_model`` wrote, so that MLflow can serve it, with the code that it needs.

    Returns:
        Its URI.
    """
    import mlflow  # takes seconds

    kind = KINDS[kind_name]
    mlflow.log_metric(MODEL_SIZE, sum(path.stat().st_size for path in folder.iterdir()) / 1e6)
    with tempfile.TemporaryDirectory() as temporary:
        code = copy_code(kind, Path(temporary))
        model = Path(temporary) / "model.py"
        model.write_text(_MODEL.format(package=code.name), encoding="utf-8")
        sys.path.insert(0, temporary)  # MLflow runs model.py before it logs it
        try:
            info = mlflow.pyfunc.log_model(
                name=ARTIFACT,
                python_model=str(model),
                artifacts={ARTIFACT: str(folder)},
                code_paths=[str(code)],
                pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in kind.requirements],
                input_example=([{"text": "Le ministre a dit : « Nous irons. »", "lang": "fr"}], {"threshold": -1.0, "split": True}),
            )
        finally:
            sys.path.remove(temporary)
    return str(info.model_uri)


def copy_code(kind: Kind, target: Path) -> Path:
    """Copy what a logged model of a kind runs into a package of a new name, which follows from its content.

    Returns:
        The package's folder, inside ``target``.
    """
    files = sorted(_needed(kind))
    content = hashlib.sha256(b"".join(file.encode() + (_ROOT / file).read_bytes() for file in files))
    package = target / f"newsmark_{content.hexdigest()[:12]}"
    for file in files:
        copy = package / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / file, copy)
    (package / "__init__.py").touch()
    return package


def _needed(kind: Kind) -> set[str]:
    """Find the modules that a logged model imports, one from another, with their packages and the YAML files beside and below them."""
    wanted = [_ENTRY, f"models/{kind.reader.partition(':')[0].replace('.', '/')}.py"]
    found: set[str] = set()
    while wanted:
        file = wanted.pop()
        if file in found:
            continue
        found.add(file)
        folder = Path(file).parent
        found |= {f"{data.relative_to(_ROOT)}" for pattern in ("*.yaml", "*/*.yaml") for data in (_ROOT / folder).glob(pattern)}
        wanted += [f"{parent}/__init__.py" for parent in Path(file).parents if parent.name]
        wanted += _imported(file)
    return found


def _imported(file: str) -> Iterator[str]:
    """The modules of newsmark that a module imports; they are imported relatively."""
    for node in ast.walk(ast.parse((_ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = Path(file).parents[node.level - 1] / Path(*(node.module or "").split("."))
            for path in (base, *(base / alias.name for alias in node.names)):
                if (_ROOT / path).with_suffix(".py").is_file():
                    yield str(path.with_suffix(".py"))
                elif (_ROOT / path / "__init__.py").is_file():
                    yield str(path / "__init__.py")
