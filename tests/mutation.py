"""Change the code in small ways, one at a time, and see whether a test notices: ``make mutation``.

For what may lose or shift an annotation without anybody seeing it: offsets, projection onto passages, folds, agreement and merging, what is pushed. A copy
of the project is changed, never the project itself.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TESTED = {
    "annotation/characters.py": ["test_passages.py", "test_sentences.py"],
    "annotation/splitting/passages.py": ["test_passages.py"],
    "annotation/passage_labels.py": ["test_annotations.py", "test_adjudicate.py"],
    "annotation/edits.py": ["test_edits.py"],
    "annotation/votes.py": ["test_annotations.py", "test_dataset.py"],
    "annotation/disputes.py": ["test_annotations.py", "test_adjudicate.py"],
    "annotation/alignment.py": ["test_doubts_of_twins.py"],
    "annotation/label_studio/push.py": ["test_push.py"],
    "annotation/label_studio/renewal.py": ["test_push.py"],
    "training/splits.py": ["test_splits.py"],
}
"""Files that are changed, with the tests that are to notice; none that mostly write requests, of which only a server says whether they are right."""

_SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
also_copy = ["configs", "seeds"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
timeout_multiplier = 3.0
"""

_IMPORT_AGAIN = """

def pytest_unconfigure():
    for name in [name for name in sys.modules if name.startswith("test_")]:
        del sys.modules[name]
"""
"""For mutmut, which runs pytest again and again in one process: it would escape ids that it has escaped already, and not find the tests that it is to run."""


def copy_project(folder, files):
    """Copy the project into a folder, laid out as it is installed, with mutmut's settings."""
    for name in ("annotation", "models", "training"):
        shutil.copytree(PROJECT / name, folder / "src/newsmark" / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    shutil.copy(PROJECT / "newsmark.py", folder / "src")
    for name in ("configs", "seeds", "tests"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "integration", "benchmarks"))
    with (folder / "tests/conftest.py").open("a", encoding="utf-8") as file:
        file.write(_IMPORT_AGAIN)
    for name in ("configs", "seeds"):
        shutil.copytree(folder / name, folder / "src/newsmark" / name)
    tests = sorted({f"tests/{name}" for file in files for name in TESTED[file]})
    settings = _SETTINGS.format(files=[f"src/newsmark/{file}" for file in files], tests=tests)
    (folder / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text(encoding="utf-8") + settings, encoding="utf-8")


def main():
    """Print for each file how many changes there were, and those that no test noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"one of {', '.join(TESTED)} (default: all)")
    parser.add_argument("--processes", type=int, default=2, help="that run tests at the same time (default: %(default)s)")
    arguments = parser.parse_args()
    for file in arguments.files or TESTED:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copy_project(folder, [file])
            mutmut = [sys.executable, "-m", "mutmut"]
            # "*": with a name it first runs the tests by their ids, and stops where they can't be; otherwise every change would count as noticed
            done = subprocess.run([*mutmut, "run", "--max-children", f"{arguments.processes}", "*"], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit("\n".join(done.stdout.splitlines()[-20:]) + done.stderr)
            results = subprocess.run([*mutmut, "results", "--all", "true"], cwd=folder, capture_output=True, text=True, check=True).stdout.split("\n")
            verdicts = [line.strip().rpartition(": ") for line in results if ": " in line]
            noticed = {"killed", "timeout", "segfault"}  # the last for what was ended because it ran for too long, too
            missed = [one for one, _, verdict in verdicts if verdict not in noticed]
            print(f"{file}: {len(verdicts)} changes, {len(verdicts) - len(missed)} noticed", flush=True)
            for one in missed:
                shown = subprocess.run([*mutmut, "show", one], cwd=folder, capture_output=True, text=True, check=True).stdout
                print("\n".join(f"    {line}" for line in shown.splitlines() if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}), flush=True)


if __name__ == "__main__":
    main()
