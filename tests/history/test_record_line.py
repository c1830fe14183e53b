"""A record as a line of JSON: exact money, what a newer version adds, ids in the order of time."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtokens.record import FIELDS, decode, encode, folded, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.history.store import Store
    from nbtokens.record import Record

_MONEY = st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


@given(money=_MONEY, operation=st.text(), usage=st.dictionaries(st.text(), _JSON, max_size=4))
def test_survives_the_line(
    money: Decimal, operation: str, usage: dict[str, Any], make_record: Callable[..., Record]
) -> None:
    """Whatever a record holds comes back as it was, from one line without a line break, money to the last digit."""
    record = make_record(cost_usd=money, operation=operation, usage=usage)
    line = encode(record)
    assert b"\n" not in line
    assert b"\r" not in line
    again = decode(line)
    assert again == record
    assert again.cost_usd is not None
    assert again.cost_usd.as_tuple() == money.as_tuple()
    json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("text", ["0.000000123456789012345678901234", "0.1", "1E-9", "123456.789", "0", "0.10"])
def test_money_is_exact_through_the_file(text: str, store: Store, make_record: Callable[..., Record]) -> None:
    """Money is written as a JSON number with exactly its decimal digits, and read back as the same Decimal."""
    store.append(make_record(cost_usd=Decimal(text)))
    store.append(make_record(cost_usd=Decimal(text)))
    raw = json.loads(store.journal.path.read_text(), parse_float=Decimal, parse_int=Decimal)
    assert [row["cost_usd"].as_tuple() for row in raw] == [Decimal(text).as_tuple()] * 2
    assert [record.cost_usd for record in store.records()] == [Decimal(text)] * 2
    assert store.totals().sums().cost_usd == 2 * Decimal(text)


def test_null_stays_out_of_the_line(make_record: Callable[..., Record]) -> None:
    """What is not known takes no room."""
    record = make_record()
    assert set(json.loads(encode(record))) == {"v", "kind", "id", "started_at", "status"}
    assert [name for name in FIELDS if getattr(record, name) is not None] == ["v", "kind", "id", "started_at", "status"]


def test_time_is_utc_with_microseconds(make_record: Callable[..., Record]) -> None:
    """`started_at` is ISO 8601 in UTC, marked Z, with the microseconds."""
    record = make_record()
    at = record.started_at.replace(microsecond=123456)
    line = encode(msgspec.structs.replace(record, started_at=at))
    assert json.loads(line)["started_at"].endswith(".123456Z")
    assert decode(line).started_at == at


def test_unknown_keys_are_no_obstacle(make_record: Callable[..., Record]) -> None:
    """A line with keys that this version does not know is read for what it does know."""
    record = make_record(input_tokens=5)
    line = encode(record)[:-1] + b',"mood":"good","nested":{"a":[1]}}'
    assert decode(line) == record


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("kind", "plan"),
        ("status", "cancelled"),
        ("attribution", "guessed"),
        ("usage_source", "measured"),
        ("call_type", "telepathy"),
    ],
)
def test_a_newer_version_is_read_as_far_as_possible(
    field: str, value: str | int, store: Store, make_record: Callable[..., Record]
) -> None:
    """A word that a newer version has added does not hide the record, nor its tokens where it is a call."""
    store.append(make_record(input_tokens=1))
    row = {**json.loads(encode(make_record(input_tokens=2))), "v": 2, field: value, "new_field": [1]}
    store.journal.path.write_text(f"[\n{json.dumps(row)}\n]\n")
    store.append(make_record(input_tokens=4))
    assert getattr(next(store.records()), field) == value
    assert store.totals().sums().input_tokens == (4 if field == "kind" else 6)
    kept = json.loads(store.journal.path.read_text())[0]
    assert kept == row


def test_id_is_a_uuid7() -> None:
    """An id is a UUID of version 7 in the usual form, with the time in its first 48 bits."""
    found = uuid.UUID(new_id(1_700_000_000.123))
    assert str(found) == new_id(1_700_000_000.123)[:13] + str(found)[13:]
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == 1_700_000_000_123


@given(times=st.lists(st.integers(0, 2**42), min_size=2, unique=True))
def test_ids_sort_by_time(times: list[int]) -> None:
    """The order of ids, as text, is the order of their milliseconds."""
    ids = [new_id((milliseconds + 0.5) / 1000) for milliseconds in times]
    assert sorted(ids) == [one for _, one in sorted(zip(times, ids, strict=True))]


def test_ids_differ() -> None:
    """Ids of one moment differ."""
    assert len({new_id(1.0) for _ in range(10_000)}) == 10_000


def test_folded_changes_the_price_alone(make_record: Callable[..., Record]) -> None:
    """An amendment gives a record its price, and leaves everything else as it was recorded."""
    record = make_record(input_tokens=5, model="m", price_source=None)
    amendment = make_record(kind="amend", ref=record.id, cost_usd=Decimal(2), price_source="user", model="other")
    after = folded(record, amendment)
    assert after == msgspec.structs.replace(record, cost_usd=Decimal(2), price_source="user")
    assert folded(record, None) is record
