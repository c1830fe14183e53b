"""Every figure of `stats`, `validate`, `check`, `cost` and `scores` once more, from the rows as `json.load` reads them.

With pandas, numpy, scipy and statsmodels, by the rules that docs/analysis.md gives.
"""

from __future__ import annotations

from typing import Final

from independent.figures import check_scores, check_stats
from independent.fits import check_validate
from independent.money import check_cost
from independent.raw import Raw, asking
from independent.red_flags import check_flags

__all__ = ["CHECKS", "Raw", "asking"]

CHECKS: Final = {
    "stats": check_stats,
    "validate": check_validate,
    "check": check_flags,
    "cost": check_cost,
    "scores": check_scores,
}
"""The question -> what compares its answer."""
