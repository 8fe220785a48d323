"""``python -m training`` is the ``train`` command."""

import sys

from training.cli import main

sys.exit(main())
