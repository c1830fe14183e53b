"""`check` once more, by the conditions of docs/analysis.md."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from independent.raw import LEAST, WORDS_FOR_CUT

if TYPE_CHECKING:
    from independent.raw import Ask, Raw


def check_flags(raw: Raw, ask: Ask) -> None:
    """Each flag that docs/analysis.md describes is there where its condition holds, with its figures, and no other."""
    data = ask("check")
    assert data["calls"] == len(raw.calls)
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    for model, calls in raw.groups(raw.calls, "model").items():
        expected |= _of_a_model(model or "(no model)", calls)
    kinds = raw.calls.groupby(["model", "label", "call_type", "operation"], dropna=False)
    for (model, _, _, operation), calls in kinds:
        name = "(no model)" if pd.isna(model) else model
        where = name if pd.isna(operation) else f"{operation}, {name}"
        expected |= _of_a_kind(where, calls[calls["status"] == "ok"])
    found = {(one["kind"], one["where"]): one["evidence"] for one in data["flags"]}
    assert set(found) - {one for one in found if one[0] == "slow_model"} == set(expected)
    for flag, figures in expected.items():
        assert {name: found[flag][name] for name in figures} == {
            name: value if isinstance(value, dict | Decimal) else pytest.approx(value)
            for name, value in figures.items()
        }


def _of_a_model(model: str, calls: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    ok, failed = calls[calls["status"] == "ok"], calls[calls["status"] == "error"]
    timed = ok[ok["speed"].notna()]
    if len(timed) >= LEAST:
        p50, p95 = (np.percentile(timed["speed"], share, method="lower") for share in (50, 95))
        if p50 < 20 or p50 < p95 / 2 or _falls(timed):
            expected["throttling", model] = {"calls": len(timed), "p50": p50, "p95": p95}
    if len(failed) >= 3 and len(failed) >= 0.05 * len(calls):
        expected["errors", model] = {
            "calls": len(calls),
            "failed": len(failed),
            "retries": (calls["retry_count"] > 0).sum(),
            "errors": dict(Counter(failed["error"].fillna("error"))),
            "seconds": failed["duration_s"].sum(),
            "cost_usd": sum(failed["money"].dropna(), Decimal(0)),
        }
    limited = calls[calls["http_status"] == 429]
    if len(limited):
        expected["rate_limit", model] = {"responses": len(limited), "waits_s": limited["retry_after_s"].sum()}
    return expected


def _falls(timed: pd.DataFrame) -> bool:
    days = [part for _, part in timed.groupby("day") if len(part) >= LEAST]
    for part in days:
        hours = (part["at"] - part["at"].dt.normalize()).dt.total_seconds().to_numpy() / 3600
        fit = sm.OLS(part["speed"].to_numpy(), sm.add_constant(hours)).fit(cov_type="HC3", use_t=True)
        start, end = (fit.params[0] + fit.params[1] * hour for hour in (hours.min(), hours.max()))
        if fit.params[1] < 0 and fit.pvalues[1] < 0.01 / len(days) and (start <= 0 or end <= 0.75 * start):
            return True
    return False


def _of_a_kind(where: str, ok: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    reached = (ok["output_tokens"] >= 0.95 * ok["max_tokens"]) & (ok["max_tokens"] > 0) & (ok["output_tokens"] > 0)
    cut = ok[ok["finish_reason"].isin(WORDS_FOR_CUT) | (reached & (ok["call_type"] != "embeddings"))]
    if len(cut) >= 3 and len(cut) >= 0.05 * len(ok):
        money = sum(cut["money"].dropna(), Decimal(0))
        expected["truncation", where] = {"calls": len(ok), "truncated": len(cut), "cost_usd": money}
    for name in ("duration_s", "total_tokens"):
        values = ok[name].dropna()
        if len(values) >= 100:
            p50, p99 = (np.percentile(values, share, method="lower") for share in (50, 99))
            if ((values >= p99) & (values > 5 * p50)).any():
                expected["outliers", where] = {}
    return expected
