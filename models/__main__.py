"""``python -m models`` is the ``predict`` command."""

import sys

from newsmark.models.cli import main

sys.exit(main())
