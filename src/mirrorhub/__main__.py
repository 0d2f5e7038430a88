"""`python -m mirrorhub`: the command line."""

import sys

from mirrorhub.cli import main

sys.exit(main())
