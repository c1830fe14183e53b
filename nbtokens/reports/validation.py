"""What `validate` shows: the tests, and what follows from them in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import count, number_of, seconds
from nbtokens.analysis.validation import LEAST, SIGNIFICANT, slopes_differ
from nbtokens.reports.report import Part, Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbtokens.analysis.regression import Effect
    from nbtokens.analysis.validation import Evidence, Validation

_HUNDRED: Final = 100
_TITLE: Final = "Does time follow the tokens generated, or the ceiling allowed?"


def validation_report(runs: Mapping[str, Validation]) -> Report:
    """The report of one history, or of several runs side by side.

    Args:
        runs: the name of each -> what its calls say.
    """
    data = {"runs": [{"name": name, **_data(one)} for name, one in runs.items()]}
    if len(runs) != 1:
        evidence = [(name, one.whole) for name, one in runs.items()]
        return Report(
            _TITLE,
            (
                _table("By run", "run", evidence),
                *(conclusion(one, name) for name, one in evidence),
                *_compared(evidence),
                *(f"{name}: {said}" for name, one in runs.items() for said in _left_out(one)),
            ),
            data,
        )
    [validation] = runs.values()
    whole = validation.whole
    tests = [(one.name, one) for one in validation.by_model]
    if len(tests) > 1:
        tests.append((whole.name, whole))
    parts: list[Part] = [conclusion(one, name) for name, one in tests] or [conclusion(whole, whole.name)]
    parts.append(_table("Duration on output tokens, and on max_tokens beside them", "calls of", tests))
    if validation.side_by_side:
        parts.append(_side_by_side(validation))
    parts += _left_out(validation)
    parts.append(
        "Calls that succeeded and were read to their end. Least squares; intervals at 95 % and p with errors that "
        f"allow for unequal spread (HC3). An effect is told of where p < {SIGNIFICANT} and, for the ceiling, it is at "
        "least 5 % of the median duration."
    )
    return Report(_TITLE, tuple(parts), data)


def conclusion(one: Evidence, name: str) -> str:
    """What follows from the test, in words."""
    if one.verdict == "too little" or one.by_tokens is None:
        return (
            f"{name}: too little to tell: {number_of(one.calls, 'usable call')}; at least {LEAST} are needed, with "
            "answers of different lengths."
        )
    slope, overhead = one.by_tokens.slopes[0], one.by_tokens.intercept
    follows = (
        f"each {_HUNDRED} output tokens take {_interval(slope, _HUNDRED)}, beside {_interval(overhead)} of overhead "
        f"(R² {one.by_tokens.r_squared:.2f}, n = {one.calls:,})"
    )
    if one.verdict == "inseparable":
        return (
            f"{name}: the ceiling can't be told from the tokens: answers are as long as they are allowed to be "
            f"({follows})."
        )
    ceiling = _about_ceiling(one)
    if one.verdict == "tokens":
        return f"{name}: time follows the tokens that were generated: {follows}. {ceiling}"
    if one.verdict == "both":
        return f"{name}: time follows the tokens that were generated: {follows}; but the ceiling matters too. {ceiling}"
    if one.verdict == "ceiling":
        return f"{name}: time follows the ceiling that was allowed, not the tokens that were generated. {ceiling}"
    return f"{name}: time follows neither, as far as {one.calls:,} calls can tell: {follows}. {ceiling}"


def _about_ceiling(one: Evidence) -> str:
    effect = one.ceiling_effect_s
    if effect is None:
        why = {0: "no call had a max_tokens", 1: "all calls that had a max_tokens had the same"}
        return f"Nothing can be said about the ceiling: {why.get(one.ceilings, 'too few calls had different ones')}."
    if one.verdict in ("both", "ceiling"):
        return (
            f"With equal output, the highest max_tokens ({one.reach:,} more than the lowest) takes {_interval(effect)} "
            f"longer ({_p(effect)})."
        )
    known = "makes a difference that is small" if effect.p < SIGNIFICANT else "makes no difference that can be shown"
    return (
        f"With equal output, max_tokens {known}: {one.reach:,} more of it change the duration by {_interval(effect)} "
        f"({_p(effect)})."
    )


def _compared(evidence: Sequence[tuple[str, Evidence]]) -> list[str]:
    """Each run against the first."""
    if not evidence:
        return ["There is nothing to compare."]
    (first, base), *others = evidence
    lines = []
    for name, one in others:
        p = slopes_differ(base, one)
        if p is None or base.by_tokens is None or one.by_tokens is None:
            lines.append(f"{name} against {first}: too little to tell.")
            continue
        ratio = one.by_tokens.slopes[0].value / base.by_tokens.slopes[0].value if base.by_tokens.slopes[0].value else 0
        if p < SIGNIFICANT:
            lines.append(f"{name} against {first}: {ratio:.2f} times the seconds per token ({_p_value(p)}).")
        else:
            lines.append(
                f"{name} against {first}: no difference in seconds per token that can be shown ({_p_value(p)})."
            )
    return lines


def _left_out(validation: Validation) -> list[str]:
    left_out = validation.left_out
    return [] if left_out is None else [left_out.said("calls that can be tested")]


def _table(heading: str, name: str, tests: Sequence[tuple[str, Evidence]]) -> Table:
    columns = (
        *(name, ">calls", ">s per 100 tokens", ">95 % interval", ">overhead", ">R²", ">p"),
        *(">ceilings", ">s per 1,000 max_tokens", ">p of it"),
    )
    return Table(heading, columns, tuple((name, *_row(one)) for name, one in tests), "No calls.")


def _row(one: Evidence) -> tuple[str, ...]:
    if one.by_tokens is None:
        return (count(one.calls), *("n/a",) * 5, count(one.ceilings), "n/a", "n/a")
    slope, both = one.by_tokens.slopes[0], one.by_both
    return (
        count(one.calls),
        f"{slope.value * _HUNDRED:.3f}",
        f"{slope.low * _HUNDRED:.3f} to {slope.high * _HUNDRED:.3f}",
        f"{one.by_tokens.intercept.value:.3f} s",
        f"{one.by_tokens.r_squared:.3f}",
        _p_value(slope.p).removeprefix("p = "),
        count(one.ceilings),
        "n/a" if both is None else f"{both.slopes[1].value * 1000:.3f}",
        "n/a" if both is None else _p_value(both.slopes[1].p).removeprefix("p = "),
    )


def _side_by_side(validation: Validation) -> Table:
    columns = (
        "model",
        "operation",
        ">max_tokens",
        ">calls",
        ">avg output",
        ">avg duration",
        ">s per 100 tokens",
        ">cut",
    )
    rows = tuple(
        (
            one.kind[0],
            one.kind[1] or "(no operation)",
            count(one.ceiling),
            count(one.calls),
            f"{one.tokens:,.1f}",
            seconds(one.seconds),
            f"{_HUNDRED * one.seconds / one.tokens:.3f}",
            count(one.cut),
        )
        for one in validation.side_by_side
    )
    return Table("Like calls with different ceilings", columns, rows)


def _interval(effect: Effect, times: float = 1) -> str:
    return f"{effect.value * times:.3f} s ({effect.low * times:.3f} to {effect.high * times:.3f})"


def _p(effect: Effect) -> str:
    return _p_value(effect.p)


def _p_value(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"  # noqa: PLR2004 - as the text says


def _data(validation: Validation) -> dict[str, Any]:
    return {
        "left_out": None if validation.left_out is None else validation.left_out._asdict(),
        "whole": _evidence(validation.whole),
        "by_model": [_evidence(one) for one in validation.by_model],
        "side_by_side": [
            {"model": one.kind[0], "operation": one.kind[1], **{k: v for k, v in one._asdict().items() if k != "kind"}}
            for one in validation.side_by_side
        ],
    }


def _evidence(one: Evidence) -> dict[str, Any]:
    return {**asdict(one), "conclusion": conclusion(one, one.name)}
