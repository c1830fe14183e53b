"""The history as a DataFrame: one row a record, every documented column, types that pandas can reckon with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pandas as pd
import pytest

import nbtokens
from nbtokens.history import blocks
from nbtokens.history.store import Store
from nbtokens.record import FIELDS
from nbtokens.reports.frame import frame_of
from nbtokens.views import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

_INTEGERS = {
    *("v", "execution_count", "max_tokens", "input_tokens", "output_tokens", "total_tokens", "http_status"),
    *("cache_read_input_tokens", "cache_creation_input_tokens", "reasoning_output_tokens", "retry_count", "calls"),
}
_FLOATS = {
    *("retry_after_s", "duration_s", "time_to_first_chunk_s", "tokens_per_second"),
    *("input_cost_usd", "output_cost_usd", "other_cost_usd", "cost_usd", "saved_cost_usd"),
}
_OBJECTS = {"tags", "usage", "scores", "content", "sums"}
_TEXTS = {"id", "ref", "response_id", "request_id", "request_hash", "prefix_hash"}


def test_columns_are_those_of_the_contract(records: list[Record]) -> None:
    """The columns are the fields that docs/record.md documents, in its order, and the speed."""
    contract = Path(nbtokens.__file__).parents[1] / "docs" / "record.md"
    documented = _documented(contract.read_text(encoding="utf-8"))
    assert list(frame_of(records).columns) == [*FIELDS, "tokens_per_second"]
    assert documented == set(FIELDS)


def _documented(source: str) -> set[str]:
    """The names in the first column of the contract's tables of fields."""
    lines = [line for line in source.splitlines() if line.startswith("| `")]
    return {name.strip(" `") for line in lines for name in line.split("|")[1].split(",")}


@pytest.mark.parametrize("count", [0, 60])
def test_types(count: int, records: list[Record]) -> None:
    """UTC times, nullable integers, categories, floats and booleans, the same with rows and without."""
    frame = frame_of(records[:count])
    assert len(frame) == count
    kinds = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    assert kinds.pop("started_at").endswith("UTC]")
    assert {name for name, kind in kinds.items() if kind == "Int64"} == _INTEGERS
    assert {name for name, kind in kinds.items() if kind == "float64"} == _FLOATS
    assert {name for name, kind in kinds.items() if kind == "boolean"} == {"stream", "complete"}
    assert {name for name, kind in kinds.items() if kind in ("object", "str")} == _OBJECTS | _TEXTS
    assert {name for name, kind in kinds.items() if kind == "category"} == (
        set(FIELDS) - {"started_at", "stream", "complete"} - _INTEGERS - _FLOATS - _OBJECTS - _TEXTS
    )


def test_values(make_record: Callable[..., Record]) -> None:
    """Every cell holds what its record holds, and NA where that is not known."""
    full = make_record(
        input_tokens=2**40,
        output_tokens=10,
        duration_s=4.0,
        cost_usd=Decimal("0.0123"),
        stream=True,
        tags={"a": [1]},
        operation="ask",
    )
    frame = frame_of([full, make_record()])
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["started_at"] == full.started_at
    assert (first["input_tokens"], first["cost_usd"], first["tokens_per_second"]) == (2**40, 0.0123, 2.5)
    assert (first["stream"], first["tags"], first["operation"], first["id"]) == (True, {"a": [1]}, "ask", full.id)
    known = {"v", "kind", "id", "started_at", "status", "model"}
    assert {str(name) for name in frame.columns if not _is_missing(second[name])} == known


def _is_missing(value: object) -> bool:
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]


def test_fields_that_come_late(tmp_path: Path, make_record: Callable[..., Record]) -> None:
    """A field that no row had before, and that later rows have or have not, is in the right rows, to the last digit."""
    store = Store(tmp_path, print)
    late: dict[str, Any] = {
        "total_tokens": 2**55 + 1, "execution_count": -3, "stream": False, "complete": True, "error": "e",
        "tags": {"a": 1}, "retry_after_s": 0.5, "other_cost_usd": Decimal("0.1"), "response_id": "r",
    }  # fmt: skip
    for number in range(90):
        store.append(make_record(**(late if 30 <= number < 60 and number % 3 else {})))
    with patch.object(blocks, "_SIZE", 1000):
        frame = History(store).frame()
    for name in FIELDS:
        cells = [None if _is_missing(cell) else cell for cell in frame[name].tolist()]
        values = [getattr(record, name) for record in store.records()]
        assert cells == [float(value) if isinstance(value, Decimal) else value for value in values], name


def test_reckons(records: list[Record]) -> None:
    """What one does with it works: groups, sums, times, and a way to CSV and back."""
    frame = frame_of(records)
    calls = frame[frame["kind"] == "call"]
    by_model = calls.groupby("model", observed=True)["cost_usd"].sum()
    expected = sum(float(one.cost_usd or 0) for one in records if one.model == "claude" and one.kind == "call")
    assert by_model["claude"] == pytest.approx(expected)
    assert calls["input_tokens"].sum() == sum(one.input_tokens or 0 for one in records if one.kind == "call")
    assert calls.set_index("started_at")["cost_usd"].resample("D").sum().sum() == pytest.approx(by_model.sum())
    assert int(frame["duration_s"].isna().sum()) == 0


def test_frame_of_a_history(tmp_path: Path, make_record: Callable[..., Record]) -> None:
    """history().frame() has a row for each record, amendments folded in; an empty history has none."""
    store = Store(tmp_path, print)
    assert History(store).frame().empty
    record = make_record(input_tokens=5)
    store.append(record)
    store.append(make_record(kind="run"))
    store.append(make_record(kind="amend", ref=record.id, cost_usd=Decimal(3)))
    frame = History(store).frame()
    assert frame["id"].tolist()[0] == record.id
    assert frame["kind"].tolist() == ["call", "run"]
    assert frame["cost_usd"].tolist()[0] == 3.0


def test_session_frame_holds_what_the_session_counts(script: Callable[[str], str]) -> None:
    """A call that was recorded by hand for an earlier time is in the session's frame, as it is in its figures."""
    printed = script("""
        from datetime import UTC, datetime
        import nbtokens
        nbtokens.record(model="m", input_tokens=1, cost_usd=0)
        nbtokens.record(model="m", input_tokens=2, cost_usd=0, started_at=datetime(2020, 1, 1, tzinfo=UTC))
        print(nbtokens.session().sums.calls, nbtokens.session().frame()["input_tokens"].tolist())
    """)
    assert printed == "2 [1, 2]\n"
