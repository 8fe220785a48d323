"""``python -m annotation`` is the ``annotate`` command."""

import sys

from annotation.cli import main

sys.exit(main())
