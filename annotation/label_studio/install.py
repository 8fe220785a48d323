"""Label Studio's own virtual environment: it brings 160 packages, some in other versions than newsmark's."""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import NewsmarkError
from ..folders import cache_folder
from .progress import Report, report_on_stderr, wait_until

LABEL_STUDIO_VERSION = "1.23.2"
_CONSTRAINTS = Path(__file__).resolve().with_name("constraints.txt")


def install_label_studio(report: Report = report_on_stderr) -> Path:
    """Install Label Studio into its own virtual environment in the cache folder, where it is not there yet.

    A virtual environment can't be renamed into place, so a marker written last says that it is whole, and a lock keeps two
    processes from installing at once.

    Args:
        report: takes what is being done: before it begins, and every ten seconds.

    Returns:
        The program ``label-studio``.

    Raises:
        NewsmarkError: the installation failed.
    """
    digest = hashlib.sha256(_CONSTRAINTS.read_bytes()).hexdigest()[:8]
    folder = cache_folder().resolve() / f"label-studio-{LABEL_STUDIO_VERSION}-{digest}"
    ready, program = folder / "ready", folder / "bin" / "label-studio"
    if ready.is_file():
        return program
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.is_file():  # the holder of the lock may have finished it
            report(f"installing Label Studio {LABEL_STUDIO_VERSION} into {folder}: 160 packages, 1 GB, about five minutes; only this once (Ctrl-C stops it)")
            _run([sys.executable, "-m", "venv", "--clear", str(folder)], folder, report)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
            _run([*pip, f"label-studio=={LABEL_STUDIO_VERSION}", "-c", str(_CONSTRAINTS)], folder, report)
            ready.touch()
            report("Label Studio is installed")
    return program


def _run(command: list[str], folder: Path, report: Report) -> None:
    """Run a step of the installation, and report how many packages are fetched and installed."""
    folder.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile() as output:

        def lines() -> list[str]:
            return [line for line in Path(output.name).read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]

        def doing() -> str:
            fetched, installed = sum(line.startswith("Collecting ") for line in lines()), len(list(folder.glob("lib/*/site-packages/*.dist-info")))
            return f"installing Label Studio: {fetched} packages fetched, {installed} installed"

        process = subprocess.Popen(command, env=own_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_until(lambda: False, process, folder, doing, report, patience=math.inf)  # pip gives up by itself
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            reason = next((line for line in lines() if line.startswith("ERROR")), (lines() or [f"code {process.returncode}"])[-1])
            raise NewsmarkError(f"Label Studio can't be installed: {reason}")


def own_environment() -> dict[str, str]:
    """Give the environment for programs of another virtual environment."""
    # modules of the caller must not shadow those of the other virtual environment
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE"}}
