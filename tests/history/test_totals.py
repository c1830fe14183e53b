"""Sums over records: which count how, by what they can be told apart, and that they can be merged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtokens.history.totals import RECENT, Key, Sums, Totals, TotalsData
from nbtokens.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.history.totals import Dimension

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_COUNTS = st.none() | st.integers(0, 10**6)
_RECORDS = st.lists(
    st.builds(
        Record,
        v=st.just(1),
        kind=st.sampled_from(["call", "call", "call", "cache_hit", "run", "score"]),
        id=st.uuids().map(str),
        started_at=st.integers(0, 5 * 86400).map(lambda seconds: _FIRST + timedelta(seconds=seconds)),
        user=st.sampled_from([None, "ann"]),
        notebook=st.sampled_from([None, "a.ipynb"]),
        operation=st.sampled_from([None, "ask"]),
        call_type=st.sampled_from(["chat", "embeddings"]),
        provider=st.sampled_from([None, "openai"]),
        model=st.sampled_from(["m", "n"]),
        status=st.sampled_from(["ok", "ok", "error"]),
        input_tokens=_COUNTS,
        output_tokens=_COUNTS,
        cache_read_input_tokens=_COUNTS,
        reasoning_output_tokens=_COUNTS,
        usage_source=st.sampled_from(["reported", "estimated", "none"]),
        complete=st.sampled_from([None, True, False]),
        duration_s=st.none() | st.floats(0.001, 1000),
        cost_usd=st.none() | st.decimals(0, 100, places=9),
    ),
    max_size=30,
)


def _of(records: Iterable[Record]) -> Totals:
    totals = Totals()
    for record in records:
        totals.add(record)
    return totals


def _assert_same(one: Totals, other: Totals) -> None:
    """Counts, money, buckets and times are equal; sums of seconds up to the rounding of floats."""
    assert one.rows.keys() == other.rows.keys()
    for key, sums in one.rows.items():
        found, expected = (msgspec.structs.asdict(one) for one in (sums, other.rows[key]))
        for name in ("duration_s", "timed_s"):
            assert found.pop(name) == pytest.approx(expected.pop(name)), name
        assert found == expected
    assert one.measures.keys() == other.measures.keys()
    first, second = one.stats(), other.stats()
    for measure, figures in first.items():
        assert figures == pytest.approx(second[measure]), measure


@given(first=_RECORDS, second=_RECORDS)
def test_merged_totals_are_those_of_all(first: list[Record], second: list[Record]) -> None:
    """totals(a) + totals(b) are totals(a and b), for sums and quantiles, and neither part is changed by it."""
    left, right = _of(first), _of(second)
    both = left + right
    _assert_same(both, _of(first + second))
    _assert_same(left, _of(first))
    _assert_same(right, _of(second))
    calls = sorted((one for one in first + second if one.kind == "call"), key=lambda one: one.started_at)
    assert [one.started_at for one in both.recent] == [
        one.started_at for one in sorted(left.recent + right.recent, key=lambda one: one.started_at)[-RECENT:]
    ]
    assert len(both.recent) == min(len(calls), RECENT)


@given(records=_RECORDS)
def test_sums_are_those_of_the_records(records: list[Record]) -> None:
    """Every figure is what an addition by hand gives."""
    sums, calls = _of(records).sums(), [one for one in records if one.kind == "call"]
    priced = [one for one in calls if one.cost_usd is not None]
    assert sums.calls == len(calls)
    assert sums.failed_calls == sum(one.status == "error" for one in calls)
    assert sums.cache_hits == sum(one.kind == "cache_hit" for one in records)
    assert sums.input_tokens == sum(one.input_tokens or 0 for one in calls)
    assert sums.output_tokens == sum(one.output_tokens or 0 for one in calls)
    assert sums.cache_read_input_tokens == sum(one.cache_read_input_tokens or 0 for one in calls)
    assert sums.reasoning_output_tokens == sum(one.reasoning_output_tokens or 0 for one in calls)
    assert sums.total_tokens == sums.input_tokens + sums.output_tokens
    assert sums.cost_usd == sum((one.cost_usd or Decimal(0) for one in calls), Decimal(0))
    assert sums.priced_calls == len(priced)
    assert sums.estimated_calls == sum(one.usage_source == "estimated" for one in calls)
    assert sums.incomplete_calls == sum(one.complete is False for one in calls)
    assert sums.duration_s == pytest.approx(sum(one.duration_s or 0 for one in calls))
    assert sums.first_at == min((one.started_at for one in calls), default=None)
    assert sums.last_at == max((one.started_at for one in calls), default=None)


@given(records=_RECORDS)
def test_quantiles_are_those_of_the_calls_that_succeeded(records: list[Record]) -> None:
    """Speed, size and cost are measured over calls that succeeded, within 1 % of numpy's quantiles by rank."""
    calls = [one for one in records if one.kind == "call" and one.status == "ok"]
    values: dict[str, list[float]] = {
        "duration_s": [one.duration_s for one in calls if one.duration_s is not None],
        "cost_usd": [float(one.cost_usd) for one in calls if one.cost_usd is not None],
        "input_tokens": [float(one.input_tokens) for one in calls if one.input_tokens is not None],
        "tokens_per_second": [
            one.output_tokens / one.duration_s for one in calls if one.output_tokens and one.duration_s
        ],
    }
    stats = _of(records).stats()
    for name, measured in values.items():
        assert stats[name]["count"] == len(measured)
        for share in (50, 95, 99):
            true = float(np.quantile(measured, share / 100, method="lower")) if measured else None
            assert stats[name][f"p{share}"] == (true if true is None else pytest.approx(true, rel=0.010001, abs=0))


@given(records=_RECORDS)
def test_survives_the_checkpoint(records: list[Record]) -> None:
    """Totals written as JSON and read back are the same, money to the last digit."""
    totals = _of(records)
    plain = msgspec.json.encode(totals.to_plain(), enc_hook=None)
    again = Totals.from_plain(msgspec.json.decode(plain, type=TotalsData))
    assert (again.rows, again.measures, again.recent) == (totals.rows, totals.measures, totals.recent)


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        pytest.param({"cost_usd": Decimal(1)}, {"priced_calls": 1}, id="priced"),
        pytest.param({"cost_usd": Decimal(0)}, {"priced_calls": 1}, id="free is priced"),
        pytest.param({}, {"unpriced_calls": 1}, id="no price is unpriced"),
        pytest.param({"status": "error"}, {"failed_calls": 1}, id="refused: failed, used nothing, costs nothing"),
        pytest.param(
            {"status": "error", "input_tokens": 5}, {"failed_calls": 1, "unpriced_calls": 1}, id="failed on the way"
        ),
        pytest.param(
            {"status": "error", "input_tokens": 5, "cost_usd": Decimal(1)},
            {"failed_calls": 1, "priced_calls": 1, "priced_tokens": 5},
            id="failed on the way, priced",
        ),
        pytest.param({"usage_source": "estimated"}, {"unpriced_calls": 1, "estimated_calls": 1}, id="estimated"),
        pytest.param({"complete": False}, {"unpriced_calls": 1, "incomplete_calls": 1}, id="cut off"),
        pytest.param({"kind": "cache_hit", "input_tokens": 5}, {"calls": 0, "cache_hits": 1}, id="cache hit"),
        pytest.param({"kind": "run", "calls": 0}, {"calls": 0, "runs": 1, "runs_without_calls": 1}, id="run, no call"),
        pytest.param({"kind": "run", "calls": 3}, {"calls": 0, "runs": 1}, id="run with calls"),
        pytest.param({"kind": "score", "scores": {"a": 1.0}}, {"calls": 0}, id="score"),
        pytest.param({"kind": "something new"}, {"calls": 0}, id="a kind of a newer version"),
    ],
)
def test_what_counts_how(fields: dict[str, Any], counted: dict[str, int], make_record: Callable[..., Record]) -> None:
    """Failed, unpriced, estimated and cut off calls are counted as such; what is no call is not counted as one."""
    fields = dict(fields)
    if fields.get("input_tokens"):
        fields["total_tokens"] = fields["input_tokens"]
    sums = _of([make_record(**fields)]).sums()
    names = [
        name for name in Sums.__struct_fields__ if name.endswith(("calls", "hits", "runs")) or name == "priced_tokens"
    ]
    assert {name: getattr(sums, name) for name in names} == dict.fromkeys(names, 0) | {"calls": 1} | counted
    assert sums.input_tokens == (fields.get("input_tokens", 0) if sums.calls else 0)


def test_speed_is_output_over_the_time_of_those_calls(make_record: Callable[..., Record]) -> None:
    """Failed and untimed calls, and those that wrote nothing, have no say in the speed."""
    totals = _of(
        [
            make_record(output_tokens=100, duration_s=2.0),
            make_record(output_tokens=50, duration_s=1.0),
            make_record(output_tokens=1000, duration_s=1.0, status="error"),
            make_record(output_tokens=1000),
            make_record(output_tokens=0, duration_s=50.0),
            make_record(kind="cache_hit", output_tokens=1000, duration_s=0.001),
        ]
    )
    assert totals.sums().tokens_per_second == pytest.approx(50.0)
    assert Totals().sums().tokens_per_second is None


@pytest.mark.parametrize("dimension", Key._fields)
def test_by_every_dimension(dimension: Dimension, make_record: Callable[..., Record]) -> None:
    """Calls can be told apart by each dimension, the dearest first, then those with the most tokens, then by name."""
    given_values: dict[str, tuple[Any, ...]] = {
        "day": tuple(_FIRST + timedelta(days=days) for days in range(3)),
        "status": ("ok", "error", "ok"),
    }
    name = "started_at" if dimension == "day" else dimension
    first, second, third = given_values.get(dimension, ("a", "b", None))
    totals = _of(
        [
            make_record(**{name: first, "input_tokens": 5}),
            make_record(**{name: second, "cost_usd": Decimal(3)}),
            make_record(**{name: third, "input_tokens": 10}),
        ]
    )
    groups = totals.by(dimension)
    keys = {"day": ["2026-01-02", "2026-01-03", "2026-01-01"], "status": ["error", "ok"]}
    assert list(groups) == keys.get(dimension, ["b", None, "a"])
    assert sum(group.calls for group in groups.values()) == 3
    assert next(iter(groups.values())).cost_usd == Decimal(3)


def test_days_are_utc(make_record: Callable[..., Record]) -> None:
    """A call belongs to the day that it was in UTC."""
    assert list(_of([make_record(started_at=datetime(2026, 5, 1, 23, 59, tzinfo=UTC))]).by("day")) == ["2026-05-01"]


def test_model_is_the_requested_one_where_no_other_is_known(make_record: Callable[..., Record]) -> None:
    """A call that brought no answer counts for the model that was asked for."""
    record = make_record(request_model="asked", status="error")
    assert list(_of([record, make_record(model="got", request_model="asked")]).by("model")) == ["asked", "got"]


def test_cache_hits_are_a_group_of_their_own_by_status(make_record: Callable[..., Record]) -> None:
    """By status, answers from a cache are told apart from calls."""
    groups = _of([make_record(), make_record(kind="cache_hit"), make_record(status="error")]).by("status")
    assert {name: (sums.calls, sums.cache_hits) for name, sums in groups.items()} == {
        "ok": (1, 0),
        "error": (1, 0),
        "cache_hit": (0, 1),
    }


def test_stats_of_a_model_and_an_operation(make_record: Callable[..., Record]) -> None:
    """stats() can be asked for one model, one operation, or both."""
    totals = _of(
        make_record(model=model, operation=operation, input_tokens=tokens)
        for model, operation, tokens in (("m", "a", 1), ("m", "b", 2), ("n", "a", 4), ("n", None, 8))
    )
    assert totals.stats()["input_tokens"]["sum"] == 15
    assert totals.stats(model="m")["input_tokens"]["sum"] == 3
    assert totals.stats(operation="a")["input_tokens"]["sum"] == 5
    assert totals.stats("n", "a")["input_tokens"]["sum"] == 4
    assert totals.stats("none such")["input_tokens"] == {"count": 0, "sum": 0.0} | dict.fromkeys(
        ("avg", "min", "max", "p50", "p95", "p99")
    )


def test_recent_are_the_last_ten_calls(make_record: Callable[..., Record]) -> None:
    """The ten latest calls are kept, failed ones among them, in their order; nothing else is."""
    records = [make_record(status="error" if number % 3 else "ok") for number in range(14)]
    assert _of([*records, make_record(kind="run"), make_record(kind="cache_hit")]).recent == records[-10:]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"cost_usd": Decimal(3), "price_source": "late"}),
        ({"status": "error"}, {"cost_usd": Decimal(3)}),
        ({"cost_usd": Decimal(1)}, {"cost_usd": None}),
        ({"model": None, "request_model": "asked"}, {"cost_usd": Decimal(3)}),
    ],
)
def test_an_amended_price_counts_as_if_it_had_always_held(
    before: dict[str, Any], after: dict[str, Any], make_record: Callable[..., Record]
) -> None:
    """Totals after an amendment are those of the amended record."""
    record = make_record(**{"model": "m", "input_tokens": 10, "total_tokens": 10, **before})
    amended = msgspec.structs.replace(record, **after)
    other = make_record(model="m", cost_usd=Decimal(7))
    totals = _of([record, other])
    totals.amend(record, amended)
    expected = _of([amended, other])
    assert totals.rows == expected.rows
    assert totals.recent == expected.recent
    if record.cost_usd is None:
        assert totals.measures == expected.measures
