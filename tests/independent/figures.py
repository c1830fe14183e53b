"""`stats` and `scores` once more, with pandas and numpy."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from independent.raw import Ask, Raw


_EXACT: Final = {"rel": 1e-9, "abs": 1e-12}


def check_stats(raw: Raw, ask: Ask) -> None:
    """Counts, sums, averages, percentiles and speeds: of everything, and by what is asked for."""
    dimensions = ("model", "operation", "notebook", "user", "day", "session", "run_id", "call_type")
    data = ask("stats", *(word for by in dimensions for word in ("--by", by)))
    _check_group(data, raw.rows, percentiles=True)
    for by in dimensions:
        groups = raw.groups(raw.rows[raw.rows["kind"].isin(["call", "cache_hit", "run"])], by)
        found = {one["name"] for one in data["by"][by]}
        assert found == set(groups), (by, found, set(groups))
        for one in data["by"][by]:
            _check_group(one, groups[one["name"]], percentiles=True)


def _check_group(data: dict[str, Any], rows: pd.DataFrame, *, percentiles: bool) -> None:
    calls = rows[rows["kind"] == "call"]
    ok, failed = calls[calls["status"] == "ok"], calls[calls["status"] == "error"]
    runs = rows[rows["kind"] == "run"]
    timed = ok[ok["speed"].notna()]
    assert (data["calls"], data["ok_calls"], data["failed_calls"]) == (len(calls), len(ok), len(failed))
    assert data["cache_hits"] == (rows["kind"] == "cache_hit").sum()
    assert (data["runs"], data["runs_without_calls"]) == (len(runs), (runs["calls"] == 0).sum())
    assert data["cost_usd"] == sum(calls["money"].dropna(), Decimal(0))
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert data[name] == ok[name].sum()
    speed = timed["written"].sum() / timed["duration_s"].sum() if len(timed) else None
    assert data["tokens_per_second"] == (None if speed is None else pytest.approx(speed))
    columns = {"output_tokens": "written", "tokens_per_second": "speed"}
    for name, of in (data["measures"] or {}).items() if percentiles else ():
        _check_summary(of, np.array(ok[columns.get(name, name)].dropna(), float))


def _check_summary(of: dict[str, Any], values: np.ndarray[Any, Any]) -> None:
    assert of["count"] == len(values)
    if not len(values):
        assert {of[one] for one in ("avg", "min", "max", "p50", "p95", "p99")} == {None}
        return
    exact = {"sum": values.sum(), "avg": values.mean(), "min": values.min(), "max": values.max()}
    assert {one: float(of[one]) for one in exact} == pytest.approx(exact, **_EXACT)
    for share in (50, 95, 99):
        ranked = np.percentile(values, share, method="lower")
        assert float(of[f"p{share}"]) == pytest.approx(ranked, rel=0.0101)


def check_scores(raw: Raw, ask: Ask) -> None:
    """Averages over the calls that were scored, the latest score of each name, by operation, user and model."""
    data = ask("scores")
    given: dict[str, dict[str, float]] = {}
    for row in raw.rows.itertuples():
        if row.kind == "score":
            given.setdefault(row.ref, {}).update({name: float(value) for name, value in row.scores.items()})
    table = pd.DataFrame(
        [{"id": of, "name": name, "value": value} for of, scores in given.items() for name, value in scores.items()],
        columns=["id", "name", "value"],
    ).merge(raw.calls[["id", "operation", "user", "model"]], on="id")
    _check_averages(data["scores"], table)
    for by in ("operation", "user", "model"):
        assert {one["name"] for one in data["by"][by]} == set(table[by])
        for one in data["by"][by]:
            _check_averages(one["scores"], raw.groups(table, by)[one["name"]])


def _check_averages(data: dict[str, Any], table: pd.DataFrame) -> None:
    assert set(data) == set(table["name"])
    for name, of in data.items():
        values = table["value"][table["name"] == name]
        expected = {"count": len(values), "avg": values.mean(), "min": values.min(), "max": values.max()}
        assert {one: float(value) for one, value in of.items()} == pytest.approx(expected)
