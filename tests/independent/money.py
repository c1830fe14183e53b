"""`cost` once more: sums to the last digit, savings, and the forecast by scipy and statsmodels."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from independent.raw import WORDS_FOR_CUT

if TYPE_CHECKING:
    from independent.raw import Ask, Raw


def check_cost(raw: Raw, ask: Ask) -> None:
    """Sums to the last digit, by model, operation, user and day; the forecast's range; repeated requests."""
    today, data = _today(), ask("cost")
    if _today() != today:  # it was midnight
        today, data = _today(), ask("cost")
    _check_money(data, raw.calls)
    for by in ("model", "operation", "user"):
        groups = raw.groups(raw.calls, by)
        assert {one["name"] for one in data["by"][by] if one["calls"]} == set(groups)
        for one in data["by"][by]:
            _check_money(one, groups.get(one["name"], raw.calls.head(0)))
    of_days = raw.groups(raw.calls, "day")
    assert data["daily"] == {day: sum(part["money"].dropna(), Decimal(0)) for day, part in sorted(of_days.items())}
    _check_savings(data["savings"], raw.ok, raw.calls[raw.calls["status"] != "ok"])
    _check_forecast(data["forecast"], {day: float(cost) for day, cost in data["daily"].items()}, today)


def _check_money(data: dict[str, Any], calls: pd.DataFrame) -> None:
    priced = calls[calls["money"].notna()]
    used = calls[["input_tokens", "output_tokens"]].fillna(0).sum(axis=1) > 0
    cost = sum(priced["money"], Decimal(0))
    assert data["cost_usd"] == cost
    assert (data["calls"], data["priced_calls"]) == (len(calls), len(priced))
    assert data["unpriced_calls"] == (calls["money"].isna() & ((calls["status"] == "ok") | used)).sum()
    assert data["total_tokens"] == calls[["input_tokens", "output_tokens"]].sum().sum()
    tokens = priced["total_tokens"].sum()
    assert data["cost_usd_per_priced_call"] == (pytest.approx(float(cost) / len(priced)) if len(priced) else None)
    assert data["cost_usd_per_1k_priced_tokens"] == (pytest.approx(float(cost) * 1000 / tokens) if tokens else None)


def _check_savings(data: list[dict[str, Any]], ok: pd.DataFrame, failed: pd.DataFrame) -> None:
    """Repeated requests, cut off answers and failures that were paid for: 3 calls and one cent of each, or nothing."""
    ok, failed = ok[ok["cost_usd"] > 0], failed[failed["cost_usd"] > 0]
    first = ok["request_hash"].isna() | ~ok["request_hash"].duplicated()
    again, rest, embeds = ok[~first], ok[first], ok["call_type"] == "embeddings"
    assert again["cell"].isna().all(), "which of these are cells that were run again is not worked out here"
    parts = {
        "embeddings": again[embeds[~first]],
        "identical": again[~embeds[~first]],
        "truncated": rest[rest["finish_reason"].isin(WORDS_FOR_CUT)],
        "failed": failed,
    }
    expected = {}
    for kind, part in parts.items():
        for (model, operation), calls in part.groupby(["model", "operation"], dropna=False):
            where = model if kind == "failed" or pd.isna(operation) else f"{operation}, {model}"
            saved = sum(calls["money"], Decimal(0))
            if len(calls) >= 3 and saved >= Decimal("0.01"):
                expected[kind, where] = (len(calls), pytest.approx(float(saved)))
    found = {(one["kind"], one["where"]): (one["calls"], one["saved_usd"]) for one in data if one["kind"] in parts}
    assert found == expected


def _today() -> pd.Timestamp:
    return pd.Timestamp.now("UTC").normalize().tz_localize(None)


def _check_forecast(data: dict[str, Any] | None, daily: dict[str, float], today: pd.Timestamp) -> None:
    spent = pd.Series({pd.Timestamp(day): cost for day, cost in daily.items()}, dtype=float)
    start = max(spent.index.min(), today - pd.Timedelta(days=28)) if len(spent) else today
    days = pd.date_range(start, today - pd.Timedelta(days=1))
    costs = spent.reindex(days, fill_value=0.0).to_numpy()
    if len(costs) < 5 or not costs.any():
        assert data is None
        return
    assert data is not None
    assert data["whole_days"] == len(costs)
    assert float(data["per_day_usd"]) == pytest.approx(costs.mean())
    place = np.arange(len(costs))
    line = sm.OLS(costs, sm.add_constant(place)).fit(cov_type="HC3", use_t=True)
    ahead = np.arange(len(costs), len(costs) + today.days_in_month - today.day + 1)
    if line.pvalues[1] < 0.05:
        expected, design = line.params[0] + line.params[1] * ahead, sm.add_constant(place)
        ones, free = np.column_stack([np.ones(len(ahead)), ahead]).sum(axis=0), len(costs) - 2
        residuals = costs - line.fittedvalues
    else:
        expected, design = np.full(len(ahead), costs.mean()), np.ones((len(costs), 1))
        ones, free = np.array([float(len(ahead))]), len(costs) - 1
        residuals = costs - costs.mean()
    expected = expected.clip(min=0)
    so_far = spent[(spent.index >= today.replace(day=1)) & (spent.index <= today)].sum()
    month = so_far + max(expected[0] - spent.get(today, 0.0), 0.0) + expected[1:].sum()
    variance = (residuals**2).sum() / free * (len(ahead) + ones @ np.linalg.inv(design.T @ design) @ ones)
    reach = stats.t.ppf(0.9, free) * np.sqrt(variance)
    assert float(data["month_so_far_usd"]) == pytest.approx(so_far)
    assert float(data["month_usd"]) == pytest.approx(month)
    assert float(data["low_usd"]) == pytest.approx(max(month - reach, so_far))
    assert float(data["high_usd"]) == pytest.approx(month + reach)
