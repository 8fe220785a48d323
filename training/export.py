"""``train export``: a run's model as a folder for a colleague or the Hugging Face Hub, with its card and a list of checksums."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from ..annotation.errors import NewsmarkError, UsageError
from ..annotation.folders import CONFIGS
from ..models.kinds import KINDS
from ..models.model import TrainedModel
from ..models.saved import copy_model, load_model
from ..models.store import find_folder
from .model_card import model_card
from .tracking import LoggedRun, find_runs

CHECKSUMS = "SHA256SUMS"
_USE = CONFIGS / "model_use.md"
_PLAIN = CONFIGS / "model_use_transformers.md"
_PUBLISHED = {"multilingual-e5-small": "intfloat/multilingual-e5-small"}
"""Where encoders that are known by another name are published on the Hub."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: of the files.
        version: of the model.
        files: their names.
        left_out: why a part is not there, in a sentence; empty where nothing is left out.
    """

    folder: Path
    version: str
    files: tuple[str, ...]
    left_out: str


def export(run_id: str, folder: Path, licence: str | None = None) -> Exported:
    """Write a run's model into a new folder, which appears when it is whole.

    It holds the model's own files, which ``predict --model FOLDER`` reads; what plain libraries read, where the kind has that; the model card
    ``README.md`` in the layout of the Hub; and ``SHA256SUMS``.

    Args:
        run_id: whose model.
        folder: to write; missing or empty.
        licence: under which the model is handed on, by its name on the Hub ("mit"); None leaves it open.

    Raises:
        UsageError: the folder holds something, or the licence can't be a name.
        NewsmarkError: there is no such run or model, or the model is damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is not empty, and nothing is replaced; name a new folder")
    if licence is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence):
        raise UsageError(f"--license {licence!r}: name a licence as the Hub does, such as mit, apache-2.0, cc-by-4.0 or other")
    (run,) = find_runs([run_id])
    source = find_folder(run_id)
    model = load_model(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".newsmark-") as temporary:
        made = Path(temporary) / "model"
        copy_model(source, made)
        added, left_out = _share(run, made, model.labels)
        graphs = any(made.glob("*.onnx"))
        card = _card(run, model, licence, graphs, bool(added), left_out)
        (made / "README.md").write_text(card, encoding="utf-8")
        files = sorted(path.name for path in made.iterdir())
        sums = (f"{hashlib.sha256((made / name).read_bytes()).hexdigest()}  {name}\n" for name in files)
        (made / CHECKSUMS).write_text("".join(sums), encoding="utf-8")
        for path in made.iterdir():
            path.chmod(0o644)
        made.rename(folder)  # takes the place of an empty folder
    return Exported(folder, model.version, (*files, CHECKSUMS), left_out)


def _share(run: LoggedRun, folder: Path, labels: Sequence[str]) -> tuple[list[str], str]:
    """Write what plain libraries read; gives its files, and why there are none where a kind should have some."""
    try:
        share = KINDS[run.kind].load_share()
        return (share(folder, run.params.get("encoder", ""), labels), "") if share else ([], "")
    except (NewsmarkError, ModuleNotFoundError) as error:
        reason = f"{error.name} is not installed" if isinstance(error, ModuleNotFoundError) else str(error)
        return [], f"the weights for plain transformers are left out: {reason}"


def _card(run: LoggedRun, model: TrainedModel, licence: str | None, graphs: bool, plain: bool, left_out: str) -> str:
    rules = [
        [name, f"{rule.threshold:.3f}", f"{rule.slope:.3f}", f"{rule.intercept:.3f}", "yes" if name in model.exclusive else ""]
        for name, rule in zip(model.labels, model.calibrations, strict=True)
    ]
    table = tabulate(rules, headers=["label", "threshold", "slope", "intercept", "excludes all others"], tablefmt="github", disable_numparse=True)
    use = _USE.read_text(encoding="utf-8").replace("$rules", table).strip()
    parts = [f"---\n{_front_matter(run, licence, graphs)}\n---", model_card(run).strip(), use]
    if plain:
        parts.append(_PLAIN.read_text(encoding="utf-8").strip())
    elif left_out:
        parts.append(f"In this folder, {left_out}.")
    return "\n\n".join(parts) + "\n"


def _front_matter(run: LoggedRun, licence: str | None, graphs: bool) -> str:
    """The facts that the Hub reads, as YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    labels = sorted(name.removesuffix("/f1") for name in run.metrics if re.fullmatch(r"[^/]+/f1", name))
    scores = {"macro F1": run.metrics["macro_f1"], **{f"F1 of {label}": run.metrics[f"{label}/f1"] for label in labels}}
    data = f"newsmark/{run.data_digest[:12]}"
    results = [
        EvalResult("text-classification", data, f"annotated passages, {run.scored_on}", "f1", round(value, 4), metric_name=name)
        for name, value in scores.items()
    ]
    languages = re.findall(r"\b[a-z]{2,3}\b", run.params.get("data_languages", ""))  # runs of 0.1.0 do not name them
    encoder = run.params.get("encoder", "")
    encoder = _PUBLISHED.get(encoder, encoder)
    card = ModelCardData(
        language=languages or None,
        license=licence,
        library_name="newsmark",
        pipeline_tag="text-classification",
        tags=["newsmark", "news", "multi-label", *(["onnx"] if graphs else [])],
        base_model=encoder if re.fullmatch(r"[\w.-]+/[\w.-]+", encoder) and not Path(encoder).exists() else None,
        model_name=f"newsmark {run.kind} {run.run_id[:8]}",
        eval_results=results,
    )
    return str(card.to_yaml()).strip()
