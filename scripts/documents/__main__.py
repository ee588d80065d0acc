"""The command behind scripts/generate: write the reference documents, or check them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.documents.files import compare_documents, write_documents


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code, 1 if a document is not current."""
    parser = argparse.ArgumentParser(
        prog="scripts/generate",
        description="Write the pages that are made from the code, or check them.",
    )
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the documents")
    parser.add_argument("--check", action="store_true", help="compare only; fail if not current")
    chosen = parser.parse_args(arguments)
    try:
        if not chosen.check:
            for path in write_documents(chosen.docs):
                sys.stderr.write(f"wrote {path}\n")
            return 0
        differences = compare_documents(chosen.docs)
    except LookupError as missing:  # A message without an example; the text says what to add.
        differences = [str(missing)]
    for difference in differences:
        sys.stderr.write(f"{difference}\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
