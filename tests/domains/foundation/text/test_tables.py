"""Tables that fit a terminal."""

import pytest

from domains.foundation.text.tables import hanging, table

ROWS = [
    ("NAME", "STATE", "WHY"),
    ("mx.shop.test", "closed", "they move to another provider until the end of the month"),
    ("mx2.shop.test", "idle", ""),
]


def test_a_table_that_fits_has_a_line_for_each_row():
    assert table(ROWS, 100) == table(ROWS) == [
        "NAME           STATE   WHY",
        "mx.shop.test   closed  they move to another provider until the end of the month",
        "mx2.shop.test  idle",
    ]  # fmt: skip


def test_the_last_column_is_folded_in_its_place():
    assert table(ROWS, 60) == [
        "NAME           STATE   WHY",
        "mx.shop.test   closed  they move to another provider until",
        "                       the end of the month",
        "mx2.shop.test  idle",
    ]


def test_without_room_for_columns_each_row_is_a_block():
    assert table(ROWS, 40)[:7] == [
        "NAME   mx.shop.test",
        "STATE  closed",
        "WHY    they move to another provider",
        "       until the end of the month",
        "",
        "NAME   mx2.shop.test",
        "STATE  idle",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal(width):
    assert all(len(line) <= width for line in table(ROWS, width))


def test_what_cannot_be_broken_is_whole():
    address = "a" * 70
    assert hanging("  → ", f"see {address}", 60) == ["  → see", f"    {address}"]
