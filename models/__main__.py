"""``python -m models`` is the ``predict`` command."""

import sys

from models.cli import main

sys.exit(main())
