"""``annotate init``: the folder of a new desk, from the files in ``configs/desk``."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from string import Template

from .errors import UsageError, printable
from .folders import CONFIGS, PROJECT_FILE

_FILES = ("labels.yaml", "CODEBOOK.md", "articles", "configs", PROJECT_FILE)  # the project file last: without it, nothing finds the others
_CORPUS = 'newsmark\'s own corpus, for labels that it has, too (commitment, statistic, quote, boilerplate): trained on first, never scored; "" for none'
_IGNORED = "# not for a repository: the password of Label Studio, and models\nlabel-studio/\nmlruns/\n"


def make_desk(folder: Path) -> list[str]:
    """Write the files of a new desk.

    Args:
        folder: of the desk; made where it is missing. It gives the project in Label Studio and the registered model their names.

    Returns:
        Names of what was written.

    Raises:
        UsageError: the folder is a file, or holds something of one of these names.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: this is a file; name a folder")
    if present := [name for name in _FILES if (folder / name).exists()]:
        raise UsageError(f"{folder}: holds {', '.join(present)} already, and nothing is replaced; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".newsmark-") as temporary:
        made = Path(temporary)
        title, model = _title(folder), _model_name(folder)
        names = {"title": title, "project": json.dumps(title, ensure_ascii=False), "model": json.dumps(model)}
        for name in (PROJECT_FILE, "labels.yaml", "CODEBOOK.md"):
            text = (CONFIGS / "desk" / name).read_text(encoding="utf-8")
            (made / name).write_text(Template(text).substitute(names), encoding="utf-8")
        for name in ("articles", "configs"):
            (made / name).mkdir()
        for path in CONFIGS.glob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            if re.search(r"^model:", text, re.MULTILINE):  # a training configuration
                (made / "configs" / path.name).write_text(_of_desk(text), encoding="utf-8")
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
        for name in _FILES:
            (made / name).rename(folder / name)
    return list(_FILES)


def _title(folder: Path) -> str:
    name = printable(folder.resolve().name).strip()
    return (name if len(name) >= 3 else f"newsmark {name}").strip()[:37].strip()


def _model_name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "newsmark"


def _of_desk(configuration: str) -> str:
    """Make a desk's configuration from newsmark's own: what the project file gives is left out, and the corpus is found where it is."""
    corpus = CONFIGS.parent / "seeds" / "bootstrap"  # in a checkout and in a wheel
    found = json.dumps(str(corpus), ensure_ascii=False)
    text = re.sub(r"^documents:.*\nannotations:.*\n", "# documents, annotations and labels are those of newsmark.yaml\n", configuration, flags=re.MULTILINE)
    return re.sub(r"^bootstrap:.*$", lambda _: f"bootstrap: {found}   # {_CORPUS}", text, flags=re.MULTILINE)
