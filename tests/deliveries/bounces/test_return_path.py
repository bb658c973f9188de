from datetime import UTC, datetime, timedelta

import pytest

from deliveries.bounces.return_path import LIFETIME, ForgedReturnPath, is_ours, make, parse
from deliveries.message.ids import new_id

KEY = b"k" * 32
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_return_path_names_its_delivery():
    delivery = new_id()
    assert parse(make(delivery, key=KEY, now=NOW), key=KEY, now=NOW) == delivery


def test_a_return_path_fits_a_local_part_and_survives_a_change_of_case():
    delivery = new_id()
    local_part = make(delivery, key=KEY, now=NOW)
    assert len(local_part) <= 64
    assert is_ours(local_part.upper())
    assert parse(local_part.upper(), key=KEY, now=NOW) == delivery


def test_a_return_path_expires():
    local_part = make(new_id(), key=KEY, now=NOW)
    parse(local_part, key=KEY, now=NOW + LIFETIME)
    with pytest.raises(ForgedReturnPath, match="expired"):
        parse(local_part, key=KEY, now=NOW + LIFETIME + timedelta(days=1))


def test_no_character_of_a_return_path_can_be_changed():
    local_part = make(new_id(), key=KEY, now=NOW)
    for place in range(2, len(local_part)):
        other = chr(
            ord(local_part[place]) + 1
        )  # in the last place it differs in a bit that base32 does not use
        with pytest.raises(ForgedReturnPath):
            parse(local_part[:place] + other + local_part[place + 1 :], key=KEY, now=NOW)


@pytest.mark.parametrize(
    "local_part", ["b-", "b-abc", "b-0189", "b-" + "a" * 42, "b-" + "é" * 42, "b-" + "=" * 40]
)
def test_anything_else_is_forged(local_part):
    with pytest.raises(ForgedReturnPath):
        parse(local_part, key=KEY, now=NOW)


def test_another_installation_cannot_make_ours():
    with pytest.raises(ForgedReturnPath):
        parse(make(new_id(), key=b"x" * 32, now=NOW), key=KEY, now=NOW)
