"""``python -m annotation`` is the ``annotate`` command."""

import sys

from newsmark import annotate

sys.exit(annotate())
