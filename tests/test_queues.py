"""Every queue that the documentation names can be spoken to with what requirements.txt installs."""

from multiprocessing import get_context

import pytest
from kombu import Connection, Queue

from annotation.settings import broker_options, make_exchanges

pytestmark = pytest.mark.once

NUMBERS = Queue("numbers", exchange="numbers", routing_key="numbers")


@pytest.mark.parametrize("url", ["filesystem://", "redis://localhost:1/0", "amqp://localhost:1//"])
def test_the_transport_of_a_documented_broker_is_installed(url):
    with Connection(url) as connection:
        assert connection.transport.driver_type in ("filesystem", "redis", "amqp")


def test_processes_that_start_together_find_every_exchange_whole(tmp_path):
    for part in ("messages", "control"):
        (tmp_path / part).mkdir()
    make_exchanges(tmp_path)
    made = sorted(tmp_path.glob("control/*"))
    assert [path.read_text() for path in made] == ["[]"] * 5
    options = broker_options("filesystem://", tmp_path)
    # A name of its own: a process remembers what it bound, whichever folder that was in.
    hints = Queue("hints", exchange="gpu", routing_key="hints")
    with Connection("filesystem://", transport_options=options) as line, line.SimpleQueue(hints) as queue:
        queue.put("a hint")
        make_exchanges(tmp_path)  # by a process that starts later
        assert queue.get(timeout=30).payload == "a hint"
    assert sorted(tmp_path.glob("control/*")) == made


def test_the_options_of_redis_are_those_its_transport_knows():
    with Connection(
        "redis://localhost:1/0", transport_options=broker_options("redis://localhost:1/0")
    ) as line:
        known = line.transport.Channel.from_transport_options
    assert set(broker_options("rediss://localhost:1/0")) <= set(known)
    assert broker_options("amqp://localhost:1//") == {}


def put_numbers(options: dict, count: int) -> None:
    """Another process's part of the test below."""
    with Connection("filesystem://", transport_options=options) as line:
        queue = line.SimpleQueue(NUMBERS)
        for number in range(count):
            queue.put(number)


def test_a_reader_beside_a_writer_finds_every_message_whole(tmp_path):
    for part in ("messages", "control"):
        (tmp_path / part).mkdir()
    options = broker_options("filesystem://", tmp_path)
    found = []
    with Connection("filesystem://", transport_options=options) as line:
        queue = line.SimpleQueue(NUMBERS)
        writer = get_context("fork").Process(target=put_numbers, args=(options, 2_000))
        writer.start()
        while len(found) < 2_000:
            message = queue.get(timeout=30)
            message.ack()
            found.append(message.payload)
        writer.join()
    assert sorted(found) == list(range(2_000))
    assert not list(tmp_path.glob("messages/*"))
