"""What all tests share: how many cases are drawn, and how a drawn failure is told."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="draw ten times as many cases for every arithmetic")


def pytest_configure(config: pytest.Config) -> None:
    """Every run draws other cases; a failing one prints the line that repeats it."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    shared = settings(deadline=None, print_blob=True, suppress_health_check=slow)
    settings.register_profile("usual", shared, max_examples=100)
    settings.register_profile("thorough", shared, max_examples=1000)
    settings.load_profile("thorough" if config.getoption("--thorough", default=False) else "usual")
