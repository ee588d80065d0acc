"""The command `riskd`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command; return its exit code. The version is answered without loading the rest."""
    if sys.argv[1:] in (["--version"], ["version"]):
        import riskd

        print(f"riskd {riskd.__version__}")
        return 0
    from riskd.cli.app import run

    return run(sys.argv[1:])
