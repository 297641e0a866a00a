import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _nobody_has_tried_yet():
    """What is counted per address and name is kept in the process, beyond a test."""
    cache.clear()
