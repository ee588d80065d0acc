"""What every test may use: the folder beside the project, and the marks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The machines are noisy: an example may take long without being wrong.
settings.register_profile(
    "riskd", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("riskd")

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--rewrite`: golden transcripts become what is told now; read the difference."""
    parser.addoption("--rewrite", action="store_true", help="write golden transcripts anew")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; a mark that is not declared here is an error."""
    config.addinivalue_line("markers", "end_to_end: starts real processes with real sockets.")
    config.addinivalue_line("markers", "recorded: needs the recorded market data of `shared`.")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the project with recorded data and worked examples; skips if absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("The folder ../shared with recorded data and worked examples is not here.")
    return folder
