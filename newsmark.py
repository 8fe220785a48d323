"""newsmark: from news articles in any language to annotated, classified passages."""

from pathlib import Path

__version__ = "0.1.0"

_here = Path(__file__).resolve().parent
_installed = _here / "newsmark"
# The names of the packages, "models" say, are too common to be installed under: they are newsmark.models and so on, found in the folder
# newsmark where a wheel was installed, and beside this file in a checkout.
__path__ = [str(_installed if _installed.is_dir() else _here)]
