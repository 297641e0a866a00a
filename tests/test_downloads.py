"""Parts of files, asked for as RFC 9110 says, so that an interrupted download goes on."""

from pathlib import Path

import pytest
from django.test import RequestFactory

from annotation.downloads import download

CONTENT = bytes(range(200))
DIGEST = "abc"


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "rows.parquet"
    path.write_bytes(CONTENT)
    return path


def asked(path: Path, method: str = "get", **headers: str):
    headers = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    request = getattr(RequestFactory(), method)("/", **headers)
    return download(request, path, "täfel.parquet", DIGEST)


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_the_whole_file_says_that_parts_may_be_asked_for(path):
    answer = asked(path)
    assert (answer.status_code, body(answer)) == (200, CONTENT)
    assert answer["Accept-Ranges"] == "bytes" and answer["ETag"] == '"abc"'
    assert answer["Content-Length"] == "200"
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 200),
        ("bytes=10-19", 10, 20),
        ("bytes=150-", 150, 200),
        ("bytes=150-9999", 150, 200),  # 14.1.2: a last byte behind the end means the end
        ("bytes=199-199", 199, 200),
        ("bytes=-7", 193, 200),
        ("bytes=-9999", 0, 200),  # a suffix longer than the file is the file
        ("Bytes=1-2", 1, 3),  # 14.1: names of units are case-insensitive
    ],
)
def test_a_range_gives_these_bytes_alone(path, wanted, start, end):
    answer = asked(path, range=wanted)
    assert (answer.status_code, body(answer)) == (206, CONTENT[start:end])
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/200"
    assert answer["Content-Length"] == str(end - start)
    assert answer["ETag"] == '"abc"'
    assert answer["Content-Disposition"] == asked(path)["Content-Disposition"]
    assert answer["Content-Type"] == asked(path)["Content-Type"]


@pytest.mark.parametrize("wanted", ["bytes=200-", "bytes=200-300", "bytes=-0"])
def test_a_range_that_the_file_has_none_of_is_not_satisfiable(path, wanted):
    answer = asked(path, range=wanted)
    assert answer.status_code == 416 and answer["Content-Range"] == "bytes */200"


def test_nothing_of_an_empty_file_is_satisfiable(path):
    path.write_bytes(b"")
    assert asked(path, range="bytes=0-").status_code == 416
    assert (asked(path).status_code, body(asked(path))) == (200, b"")


@pytest.mark.parametrize(
    "odd",
    [
        *("rows=0-1", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,5-6", "bytes=--1"),
        *("bytes=1-2-3", "bytes=1_0-20", "bytes=٣-", "bytes=+1-2", "bytes=0x1-", f"bytes={'9' * 400}-"),
    ],
)
def test_a_range_that_means_nothing_is_ignored(path, odd):
    answer = asked(path, range=odd)
    assert (answer.status_code, body(answer)) == (200, CONTENT)


@pytest.mark.parametrize("held", ['"abc"', ' "abc" '])
def test_who_holds_a_part_of_this_file_gets_the_rest(path, held):
    assert asked(path, range="bytes=150-", if_range=held).status_code == 206


@pytest.mark.parametrize("held", ['"other"', 'W/"abc"', "abc", "Sat, 28 Nov 2026 16:00:00 GMT", ""])
def test_who_holds_a_part_of_another_file_gets_all_of_this_one(path, held):
    answer = asked(path, range="bytes=150-", if_range=held)
    assert (answer.status_code, body(answer)) == (200, CONTENT)


def test_conditions_come_before_the_range(path):
    assert asked(path, range="bytes=0-1", if_none_match='"abc"').status_code == 304
    assert asked(path, range="bytes=0-1", if_match='"other"').status_code == 412
    assert asked(path, range="bytes=0-1", if_match='"abc"').status_code == 206


def test_the_head_of_a_file_tells_all_of_it(path):
    answer = asked(path, "head", range="bytes=0-1")
    assert (answer.status_code, answer["Content-Length"]) == (200, "200")


@pytest.mark.django_db  # closing an answer looks after connections, too
def test_a_file_is_closed_when_its_part_was_sent(path):
    answer = asked(path, range="bytes=0-1")
    part = answer.file_to_stream
    answer.close()
    with pytest.raises(ValueError, match="closed file"):
        part.read(1)
