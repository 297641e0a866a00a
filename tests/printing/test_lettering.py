"""Names of any kind fit their place."""

import pytest

from annotation.printing.lettering import plain, shortened, width

pytestmark = pytest.mark.once


def test_a_short_name_stays_as_it_is():
    assert shortened("Safe completion", 200, 14) == "Safe completion"


def test_a_long_name_keeps_its_beginning_and_its_end():
    found = shortened("checkpoint-with-a-long-name-2000", 120, 14)
    assert found.startswith("check") and found.endswith("2000") and "…" in found
    assert width(found, 14) <= 120


@pytest.mark.parametrize("name", ["W" * 300, "漢" * 300, "i" * 300])
def test_no_name_is_wider_than_its_place(name):
    assert width(shortened(name, 100, 14), 14) <= 100


def test_characters_that_turn_the_reading_order_are_left_out():
    assert plain("a\u202eb\u2066c\u200bd\te\n") == "abcd e"


def test_letters_that_need_a_joiner_keep_it():
    assert plain("می\u200cخواهم") == "می\u200cخواهم"


def test_wide_letters_take_twice_the_room():
    assert width("漢字", 10) == 20
