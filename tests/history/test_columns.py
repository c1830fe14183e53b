"""Reading many records at once gives what reading them one by one gives, whatever stands in the file."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtokens.history import blocks, counted
from nbtokens.history.columns import columns_of, usd
from nbtokens.history.journal import Journal
from nbtokens.history.plain import columns_in
from nbtokens.history.store import Store
from nbtokens.record import FIELDS, MONEY, VERSION, Record, encode, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_names: Final = st.none() | st.sampled_from(["a", "ä", "gpt-5", "=1", "", '"\\\n'])
_counts: Final = st.none() | st.integers(0, 2**53)
_seconds: Final = st.none() | st.floats(0, 1e9)
_money: Final = (
    st.none()
    | st.decimals(0, 10**9, places=9)
    | st.decimals(0, 100, places=18)
    | st.integers(0, 10**8).map(lambda nanos: Decimal(nanos).scaleb(-9))
)
_times: Final = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
_records: Final = st.builds(
    Record, v=st.just(1), kind=st.sampled_from(["call", "call", "call", "run", "score", "cache_hit", "other"]),
    id=st.uuids().map(str), started_at=_times, provider=_names, model=_names, request_model=_names, operation=_names,
    notebook=_names, user=_names, session=_names, call_type=_names, status=st.sampled_from(["ok", "error", None]),
    usage_source=st.sampled_from(["reported", "estimated"]), complete=st.none() | st.booleans(), input_tokens=_counts,
    output_tokens=_counts, total_tokens=_counts, cache_read_input_tokens=_counts, duration_s=_seconds,
    input_cost_usd=_money, cost_usd=_money, saved_cost_usd=_money, usage=st.none() | st.just({"n": 1.5, "s": "é"}),
)  # fmt: skip
_START: Final = '{"v":1,"kind":"call","id":"x","started_at":"2026-01-01T00:00:00Z","status":"ok","model":"m"'
_odd_fields: Final = st.sampled_from(
    [
        '"started_at":"2026-01-01T02:00:00+02:00"', '"started_at":"2026-02-29T00:00:00Z"',
        '"started_at":"2026-01-01T00:00:60Z"', '"started_at":"0000-01-01T00:00:00Z"', '"started_at":"2026-01-01"',
        '"started_at":"2026-01-01T00:00:00.5Z"', '"started_at":"2026-01-01T00:00:0\uff10Z"', '"started_at":"now"',
        '"started_at":"NaT"', '"started_at":"2026-01-01t00:00:00z"', '"started_at":"9999-12-31T23:59:59.999999Z"',
        '"started_at":null', '"started_at":1e9', '"cost_usd":-1', '"cost_usd":-0', '"cost_usd":-1e-400',
        '"cost_usd":1e400', '"cost_usd":1000000000.0000000001', '"cost_usd":1000000000', '"cost_usd":"0.1"',
        '"cost_usd":true',
        '"cost_usd":[1,2]', '"cost_usd":1e-7', '"cost_usd":0.1234567890123456789', '"cost_usd":null',
        '"cost_usd":99999999.99', '"input_cost_usd":-1e-400', '"saved_cost_usd":"NaN"', '"input_tokens":-1',
        '"input_tokens":1.0', '"input_tokens":null', f'"input_tokens":{2**56}', f'"input_tokens":{2**56 + 1}',
        '"duration_s":1e10', '"duration_s":-0.0', '"duration_s":1', '"usage":{"a":1e999}', '"usage":{"\\u00e9":[]}',
        '"usage":[1]', '"usage":{"a":{"b":-1}}', '"model":null', '"model":7', '"kind":"amend"', '"unknown":[{"a":"]"}]',
        '"tags":{"a":["b"]}', '"scores":{"s":-0.5}', '"v":2', '"v":1.5', '"stream":1', '"id":null', '"http_status":"x"',
    ]
)  # fmt: skip
_odd_lines: Final = _odd_fields.map(lambda field: f"{_START},{field}}}") | st.sampled_from(
    [f"{_START}}},{_START}}}", f"{_START}", "", "  ", "1", '"a"', "{}", f"{_START}\x01}}", f"\t {_START}}}  ", "<<<",
     f"{_START}}}\r", f'{_START},\r\n"user":"u"}}', "[]"]
)  # fmt: skip
_lines: Final = st.lists(_records.map(lambda one: encode(one).decode()) | _odd_lines, max_size=12)
_sizes: Final = st.sampled_from([64, 700, 1 << 18])


def _write(path: Path, lines: Iterable[str]) -> None:
    first = encode(Record(v=VERSION, kind="call", id=new_id(0), started_at=datetime(2026, 1, 1, tzinfo=UTC)))
    path.write_bytes(b"[\n" + b",\n".join([first, *(line.encode() for line in lines)]) + b"\n]\n")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history's file; each example overwrites it."""
    return tmp_path_factory.mktemp("columns") / "usage_history.json"


@given(lines=_lines, size=_sizes)
def test_the_same_rows_as_one_by_one(file: Path, lines: list[str], size: int) -> None:
    """Whatever the lines hold, the same records come in the same order, and columns hold what they hold."""
    _write(file, lines)
    expected = [line.record for line in Journal(file.parent).read()]
    with patch.object(blocks, "_SIZE", size):
        found = list(columns_in(file))
        whole = list(Journal(file.parent).records())
    assert [record for columns in found for record in columns.records()] == whole == expected
    for name in FIELDS:
        assert [value for columns in found for value in columns.values(name)] == [
            getattr(one, name) for one in expected
        ]


@given(lines=_lines)
def test_arrays_hold_what_the_values_say(file: Path, lines: list[str]) -> None:
    """Numbers as floats, times as microseconds, and money in exact units or not at all."""
    _write(file, lines)
    for columns in columns_in(file):
        for name in ("input_tokens", "duration_s", *MONEY):
            values = [float("nan") if value is None else float(value) for value in columns.values(name)]
            np.testing.assert_array_equal(columns.floats(name), np.array(values))
        naive = [at.replace(tzinfo=None) for at in columns.values("started_at")]
        assert columns.times().astype(object).tolist() == naive
        for name in MONEY:
            picos = columns.picos(name)
            if picos is not None:
                assert [usd(one) for one in picos.tolist()] == [value or 0 for value in columns.values(name)]


@given(lines=_lines, size=_sizes)
def test_the_same_totals_as_one_by_one(file: Path, lines: list[str], size: int) -> None:
    """Added up by the column, the totals are those of a file that is counted record by record."""
    _write(file, lines)
    with patch.object(blocks, "_SIZE", size), patch.object(counted, "_MANY_BYTES", 0):
        at_once = Store(file.parent, lambda told: None).totals()
    one_by_one = Store(file.parent, lambda told: None).totals()
    assert at_once.rows.keys() == one_by_one.rows.keys()
    for key, sums in at_once.rows.items():
        _same(msgspec.structs.asdict(sums), msgspec.structs.asdict(one_by_one.rows[key]))
    assert at_once.measures.keys() == one_by_one.measures.keys()
    for pair, measures in at_once.measures.items():
        for name, spread in msgspec.structs.asdict(measures).items():
            other = getattr(one_by_one.measures[pair], name)
            _same(msgspec.structs.asdict(spread), msgspec.structs.asdict(other))
    assert at_once.recent == one_by_one.recent


def _same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal, and sums of floats up to their rounding."""
    for name, value in found.items():
        assert value == (pytest.approx(expected[name]) if isinstance(value, float) else expected[name]), name


def test_the_store_by_columns(path: Path, make_record: Callable[..., Record]) -> None:
    """Columns hold what `records` gives: amended prices, and what waits for the file; amendments are no rows."""
    store = Store(path.parent, lambda told: None)
    records = [make_record(cost_usd=Decimal("0.10"), input_cost_usd=None) for _ in range(5)]
    for record in (
        *records,
        make_record(kind="amend", ref=records[1].id, cost_usd=Decimal("0.000000125"), price_source="user"),
        make_record(kind="amend", ref=records[2].id),
        make_record(kind="score", ref=records[0].id, scores={"s": 1.0}),
    ):
        store.append(record)
    with Journal(path.parent).locked():
        store.append(make_record(model="waits"))
        store.append(make_record(kind="amend", ref=records[3].id, cost_usd=Decimal(2)))
        expected, found = list(store.records()), list(store.columns())
    assert store.waiting == 2
    assert [record for columns in found for record in columns.records()] == expected
    assert [cost for columns in found for cost in columns.values("cost_usd")] == [one.cost_usd for one in expected]
    assert sum(float(np.nansum(columns.floats("cost_usd"))) for columns in found) == pytest.approx(2.200000125)
    assert [len(one) for one in columns_of(expected, 3)] == [3, 3, 1]
