"""`python -m nbtokens` is the `nbtokens` command."""

import sys

from nbtokens.cli import main

if __name__ == "__main__":
    sys.exit(main())
