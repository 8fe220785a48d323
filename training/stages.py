"""Finished stages of training, kept in the cache under the digest of all that made them, so that they need not be computed again.

A stage is what one fit leaves: the classifier that was trained on the cold-start corpus, or what the classifier of a fold says of passages. What
is not used for the longest time is removed first, once all stages together are larger than the bound.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..annotation.errors import UsageError
from ..annotation.folders import cache_folder
from ..models.classifier import CORES
from ..models.kinds import Kind
from .dataset import LabelledPassages

_DONE = "stage.json"  # written last: what was reported while the stage was computed
_BEGUN = ".begun-"
_HOUR = 3600
_GIGABYTES = 2.0
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "wordfreq")
_MODULES = {"scikit-learn": "sklearn"}
_MODELS = Path(__file__).resolve().parent.parent / "models"


def origin(kind: Kind, settings: Any) -> dict[str, Any] | None:
    """Describe all that decides a fit beside passages, settings and seed; None where that is not known, so that nothing may be kept."""
    own: str | None = ""
    if hasattr(settings, "encoder"):
        from ..models.encoder.loading import describe_encoder  # imports PyTorch

        own = describe_encoder(settings.encoder)
    if own is None:
        return None
    code = [
        *(_MODELS / name for name in ("calibration.py", "context.py", "words.py")),
        *sorted((_MODELS / "encoder").glob("*.py")),
        *sorted((_MODELS / kind.trainer.partition(".")[0]).glob("*.py")),
    ]
    return {
        "kind": kind.name,
        "of the kind": own,
        "code": hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES if importlib.util.find_spec(_MODULES.get(name, name))},
        "machine": [platform.machine(), CORES, os.environ.get("OMP_NUM_THREADS")],
    }


def content_of(data: LabelledPassages) -> str:
    """Digest of passages with all that a fit or a score of theirs depends on."""
    weights = [] if data.weights is None else [data.weights.tolist()]
    beside = json.dumps([data.documents.tolist(), data.kinds.tolist(), *weights])
    return hashlib.sha256(f"{data.digest}{beside}".encode()).hexdigest()


class Stages:
    """The stages of one command.

    Args:
        used: whether stages are kept and used at all.
        resume: whether those of folds are used, too, which an interrupted command has left.

    Raises:
        UsageError: NEWSMARK_STAGES_GB is no number, or nothing is kept that could be resumed.
    """

    def __init__(self, used: bool = True, resume: bool = False) -> None:
        self._bound = _bound() if used and os.environ.get("WORLD_SIZE", "1") == "1" else 0.0  # several processes must all take the same way
        if resume and not self._bound:
            raise UsageError("--resume continues from kept stages: leave out --fresh, NEWSMARK_STAGES_GB=0, and several processes")
        self.resume = resume

    def find(self, made_by: Mapping[str, Any] | None) -> Path | None:
        """Find the folder of a finished stage; None where there is none.

        Args:
            made_by: all that decides it; None where that is not known.
        """
        folder = self._folder(made_by)
        try:
            if folder is None or json.loads((folder / _DONE).read_text(encoding="utf-8"))["files"] != _digests(folder):
                return None
            os.utime(folder / _DONE)  # it was used now
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return folder

    def reported(self, folder: Path) -> list[tuple[str, float, int]]:
        """Metrics that were reported while a stage was computed: name, value, step."""
        return [(str(name), float(value), int(step)) for name, value, step in json.loads((folder / _DONE).read_text(encoding="utf-8"))["reported"]]

    def keep(self, made_by: Mapping[str, Any] | None, write: Callable[[Path], None], reported: list[tuple[str, float, int]]) -> None:
        """Keep a stage; a disk that has no room for it, or can't be written, is no error.

        Args:
            made_by: all that decides it; None where that is not known.
            write: writes its files into an empty folder.
            reported: metrics that were reported while it was computed.
        """
        folder = self._folder(made_by)
        if folder is None:
            return
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_BEGUN))
            try:
                write(temporary)
                (temporary / _DONE).write_text(json.dumps({"files": _digests(temporary), "reported": reported}), encoding="utf-8")
                shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been used
                temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            self._make_room(folder.parent)

    def drop(self, made_by: Mapping[str, Any] | None) -> None:
        """Remove a stage that nobody will need again."""
        if folder := self._folder(made_by):
            shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, made_by: Mapping[str, Any] | None) -> Path | None:
        if made_by is None or not self._bound:
            return None
        digest = hashlib.sha256(json.dumps(made_by, sort_keys=True, default=str).encode()).hexdigest()
        return cache_folder() / "stages" / digest[:32]

    def _make_room(self, parent: Path) -> None:
        """Remove what was used longest ago, and what a killed process has begun an hour ago or more."""
        for begun in parent.glob(f"{_BEGUN}*"):
            if time.time() - begun.stat().st_mtime > _HOUR:
                shutil.rmtree(begun, ignore_errors=True)
        stages = sorted((file.stat().st_mtime, file.parent) for file in parent.glob(f"*/{_DONE}"))
        sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for _, folder in stages}
        total = sum(sizes.values())
        for _, folder in stages:
            if total <= self._bound:
                return
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _DONE)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _bound() -> float:
    """The bytes that all stages together may have: ``NEWSMARK_STAGES_GB``, 2 by default, 0 for none."""
    text = os.environ.get("NEWSMARK_STAGES_GB", str(_GIGABYTES))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise UsageError(f"NEWSMARK_STAGES_GB: must be a number of gigabytes, 0 or more, got {text!r}")
    return gigabytes * 1e9
