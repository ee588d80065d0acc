"""`python -m riskd` is the command `riskd`."""

import sys

from riskd.cli import main

if __name__ == "__main__":
    sys.exit(main())
