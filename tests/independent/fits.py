"""`validate` once more, with statsmodels."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from independent.raw import LEAST, WORDS_FOR_CUT

if TYPE_CHECKING:
    from independent.raw import Ask, Raw


def check_validate(raw: Raw, ask: Ask) -> None:
    """Each fit, the verdict that follows, and like calls side by side."""
    [run] = ask("validate")["runs"]
    used = raw.ok[raw.ok["speed"].notna() & (raw.ok["complete"] != False)]  # noqa: E712 - a column
    models = raw.groups(used, "model")
    assert [one["name"] for one in run["by_model"]] == sorted(models)
    for one in (*run["by_model"], *([run["whole"]] if len(models) > 1 else [])):
        _check_evidence(one, models.get(one["name"], used))
    if len(models) == 1:
        assert run["whole"] == run["by_model"][0]
    groups = used.dropna(subset="max_tokens").groupby(["model", "operation", "max_tokens"], dropna=False)
    enough = {key: part for key, part in groups if len(part) >= 5}
    kinds = Counter((model, str(operation)) for model, operation, _ in enough)
    expected = {
        (model, None if pd.isna(operation) else operation, ceiling): part
        for (model, operation, ceiling), part in enough.items()
        if kinds[model, str(operation)] > 1
    }
    assert {(one["model"], one["operation"], one["ceiling"]) for one in run["side_by_side"]} == set(expected)
    for one in run["side_by_side"]:
        part = expected[one["model"], one["operation"], one["ceiling"]]
        assert one["calls"] == len(part)
        assert one["seconds"] == pytest.approx(part["duration_s"].mean())
        assert one["tokens"] == pytest.approx(part["output_tokens"].mean())
        assert (
            one["cut"] == (part["finish_reason"].isin(WORDS_FOR_CUT) | (part["output_tokens"] == one["ceiling"])).sum()
        )


def _check_evidence(data: dict[str, Any], used: pd.DataFrame) -> None:
    limited = used.dropna(subset="max_tokens")
    ceilings = limited["max_tokens"].unique()
    assert (data["calls"], data["with_ceiling"], data["ceilings"]) == (len(used), len(limited), len(ceilings))
    assert data["median_s"] == pytest.approx(used["duration_s"].median())
    if len(used) < LEAST:
        assert (data["verdict"], data["by_tokens"]) == ("too little", None)
        return
    by_tokens = _fitted(data["by_tokens"], used, "output_tokens")
    if len(limited) < LEAST or len(ceilings) < 2:
        assert data["by_both"] is None
        assert data["verdict"] == ("tokens" if _holds(by_tokens, 1) else "neither")
        return
    _fitted(data["by_ceiling"], limited, "max_tokens")
    both = _fitted(data["by_both"], limited, "output_tokens", "max_tokens")
    collinear = np.corrcoef(limited["output_tokens"], limited["max_tokens"])[0, 1] ** 2
    reach = ceilings.max() - ceilings.min()
    matters = _holds(both, 2) and both.params[2] * reach >= 0.05 * used["duration_s"].median()
    verdict = {(True, True): "both", (True, False): "tokens", (False, True): "ceiling", (False, False): "neither"}
    assert data["verdict"] == ("inseparable" if collinear > 0.98 else verdict[_holds(both, 1), bool(matters)])


def _fitted(data: dict[str, Any], of: pd.DataFrame, *names: str) -> Any:  # noqa: ANN401 - statsmodels has no types
    design = sm.add_constant(of[list(names)].to_numpy(float), has_constant="add")
    fit = sm.OLS(of["duration_s"].to_numpy(float), design).fit(cov_type="HC3", use_t=True)
    effects = [data["intercept"], *data["slopes"]]
    assert [one["value"] for one in effects] == pytest.approx(fit.params.tolist(), rel=1e-6, abs=1e-9)
    assert [(one["low"], one["high"]) for one in effects] == [
        pytest.approx(tuple(pair), rel=1e-4, abs=1e-6) for pair in fit.conf_int()
    ]
    assert [one["p"] for one in effects] == pytest.approx(fit.pvalues.tolist(), rel=1e-3, abs=1e-9)
    assert data["r_squared"] == pytest.approx(fit.rsquared, abs=1e-7)
    return fit


def _holds(fit: Any, place: int) -> bool:  # noqa: ANN401 - the same
    return bool(fit.pvalues[place] < 0.01 and fit.params[place] > 0)
