"""Every queue that the documentation names can be spoken to with what requirements.txt installs."""

import pytest
from kombu import Connection

pytestmark = pytest.mark.once


@pytest.mark.parametrize("url", ["filesystem://", "redis://localhost:1/0", "amqp://localhost:1//"])
def test_the_transport_of_a_documented_broker_is_installed(url):
    with Connection(url) as connection:
        assert connection.transport.driver_type in ("filesystem", "redis", "amqp")
