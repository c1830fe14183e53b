"""From where on something is a red flag: `[tool.nbtokens.thresholds]`."""

from __future__ import annotations

import msgspec


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `check` goes by.

    Attributes:
        least_calls: fewer calls than these say nothing about speeds, durations and shares.
        tokens_per_second: a model whose median speed is below is throttled.
        median_of_p95: so is one whose median speed is below this share of its p95.
        fall_in_a_day: so is one whose speed falls by this share through a day.
        near_limit: an answer whose output is within this share of `max_tokens` counts as cut off.
        truncated: share of answers that may be cut off.
        outlier: a call beyond p99 is told of from so many times the median on.
        slower_than_like: a model is slow below this share of the median speed of models that do the same.
        failed: share of calls that may fail.
        scores: name -> the least that a score may be, of a call and on average.
    """

    least_calls: int = 20
    tokens_per_second: float = 20.0
    median_of_p95: float = 0.5
    fall_in_a_day: float = 0.25
    near_limit: float = 0.05
    truncated: float = 0.05
    outlier: float = 5.0
    slower_than_like: float = 0.5
    failed: float = 0.05
    scores: dict[str, float] = {}
