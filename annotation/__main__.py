"""``python -m annotation`` is the ``annotate`` command."""

import sys

from newsmark.annotation.cli import main

sys.exit(main())
