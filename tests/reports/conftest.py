"""Real judgments made by others serve the reports too."""

from tests.stats.conftest import shared_data

__all__ = ["shared_data"]
