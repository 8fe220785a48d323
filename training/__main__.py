"""``python -m training`` is the ``train`` command."""

import sys

from newsmark.training.cli import main

sys.exit(main())
