"""What a training run reports while it goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

Report = Callable[[str], None]
"""Takes a line that says what is going on."""


def is_main_process() -> bool:
    """Whether this is the main process (rank 0) of those that ``accelerate launch`` or ``torchrun`` started together: it alone logs and prints."""
    return os.environ.get("RANK", "0") == "0"


def print_progress(line: str) -> None:
    """Print a line to standard error, in the main process."""
    if is_main_process():
        print(line, file=sys.stderr)
