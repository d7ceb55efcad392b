"""``python -m convlens`` is the command line."""

import sys

from convlens.hosts.cli import main

sys.exit(main())
