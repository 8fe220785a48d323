"""Label Studio's own virtual environment: it brings 160 packages, some in other versions than newsmark's."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from ..errors import NewsmarkError
from ..folders import cache_folder

LABEL_STUDIO_VERSION = "1.23.2"
_CONSTRAINTS = Path(__file__).resolve().with_name("constraints.txt")


def install_label_studio() -> Path:
    """Install Label Studio into its own virtual environment in the cache folder, where it is not there yet.

    A virtual environment can't be renamed into place, so a marker written last says that it is whole, and a lock keeps two
    processes from installing at once.

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
            print(f"installing Label Studio {LABEL_STUDIO_VERSION} into {folder} (1 GB, some minutes; only this once)", file=sys.stderr)
            _install_step([sys.executable, "-m", "venv", "--clear", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _install_step([*pip, f"label-studio=={LABEL_STUDIO_VERSION}", "-c", str(_CONSTRAINTS)])
            ready.touch()
    return program


def _install_step(command: list[str]) -> None:
    done = subprocess.run(command, env=own_environment(), capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else f"code {done.returncode}")
        raise NewsmarkError(f"Label Studio can't be installed: {reason}")


def own_environment() -> dict[str, str]:
    """Give the environment for programs of another virtual environment."""
    # modules of the caller must not shadow those of the other virtual environment
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE"}}
