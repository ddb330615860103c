"""`python -m stanmix`."""

import sys

from stanmix.cli import main

sys.exit(main())
