"""The worked examples beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def vectors(shared: Path) -> Path:
    """The folder that `read_cases` reads from; skips, with a line, where it is absent."""
    if not (shared / "vectors").is_dir():
        pytest.skip("The folder ../shared/vectors with worked examples is not here.")
    return shared
