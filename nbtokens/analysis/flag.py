"""One red flag."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

KINDS: Final = ("throttling", "truncation", "outliers", "slow_model", "errors", "rate_limit", "scores")


class Flag(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: one of `KINDS`.
        where: a model, with an operation where that matters.
        what: what is seen, in words.
        advice: what may help.
        evidence: the figures.
    """

    kind: str
    where: str
    what: str
    advice: str
    evidence: dict[str, Any]
