"""The model that identifies languages, unpacked once.

py3langid's model is 68 MB in an LZMA file, which takes longer to unpack than everything else that ``predict`` does before its first line. So it is
unpacked into the cache folder once, and from then on only mapped into memory.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
from py3langid.modelio import load_model

from .folders import cache_folder

_ARRAYS = ("features", "languages", "names", "moves", "rows", "found")
"""What py3langid's ``load_model`` gives, in its order: each a file of the unpacked model."""


@functools.cache
def load_identifier() -> LanguageIdentifier:
    """Load the model, unpacking it if that was not done yet; where the cache can't be written or is damaged, it is read as py3langid reads it."""
    packed = MODEL_DIR / MODEL_FILE
    with suppress(OSError, ValueError, RuntimeError):  # the last: there is no home folder
        folder = cache_folder() / f"languages-{hashlib.sha256(packed.read_bytes()).hexdigest()[:12]}"
        if not folder.is_dir():
            _unpack(packed, folder)
        features, languages, names, moves, rows, found = (np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS)
        # elements of these memoryviews are Python's own numbers, which are quicker to count with than NumPy's
        return LanguageIdentifier(features, languages, names.tolist(), moves.data, found.data, tk_row=rows.data)
    return LanguageIdentifier.from_model_file(packed)


def _unpack(packed: Path, folder: Path) -> None:
    """Write the model's arrays into a folder that appears whole: several processes may do this at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        unpacked = Path(temporary) / folder.name
        unpacked.mkdir()
        for name, array in zip(_ARRAYS, load_model(packed), strict=True):
            np.save(unpacked / f"{name}.npy", np.asarray(array))
        with suppress(OSError):  # another process was faster
            unpacked.rename(folder)
