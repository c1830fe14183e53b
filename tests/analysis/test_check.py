"""`check`: each red flag planted, and a history without any."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from made_up import BEGAN

from nbtokens.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

    Make = Callable[..., Record]
    Write = Callable[[list[Record]], None]
    Flags = Callable[..., dict[str, list[dict[str, Any]]]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Flags:
    """Ask for the flags, as JSON, by kind."""

    def check(*words: str, code: int = 0) -> dict[str, list[dict[str, Any]]]:
        assert main(["check", "--json", *words]) == code
        found: dict[str, list[dict[str, Any]]] = {}
        for flag in json.loads(capsys.readouterr().out)["flags"]:
            found.setdefault(flag["kind"], []).append(flag)
        return found

    return check


@pytest.fixture
def at_speed(make: Make) -> Callable[..., list[Record]]:
    """Calls at about these tokens per second, one every two minutes."""

    def at_speed(speeds: list[float], start: Any = BEGAN, **fields: Any) -> list[Record]:  # noqa: ANN401
        chance = random.Random(len(speeds))
        usual = {"output_tokens": 1000, "input_tokens": 10, **fields}
        took = [1000 / (speed * chance.uniform(0.9, 1.1)) for speed in speeds]
        return [make(**usual, started_at=start + timedelta(minutes=2 * n), duration_s=s) for n, s in enumerate(took)]

    return at_speed


def test_nothing_is_wrong(at_speed: Any, write: Write, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401
    """An even history has no flags; a short one says that this says little."""
    write(at_speed([50] * 19))
    assert main(["check", "--fail-on", "any"]) == 0
    assert "None in 19 calls. That says little" in capsys.readouterr().out
    write(at_speed([50] * 100))
    assert main(["check", "--fail-on", "any"]) == 0
    assert capsys.readouterr().out == "Red flags\n\nNone in 119 calls.\n"


def test_slow(at_speed: Any, write: Write, check: Flags) -> None:  # noqa: ANN401
    """A median below 20 tokens/s is throttling; the exit code says so where it is asked for."""
    records = at_speed([15] * 40)
    write([*records, *at_speed([50] * 40, model="quick", operation="else")])
    [flag] = check("--fail-on", "throttling", code=1)["throttling"]
    median = np.percentile([one.tokens_per_second for one in records], 50, method="lower")
    assert (flag["where"], flag["evidence"]["calls"]) == ("m", 40)
    assert flag["evidence"]["p50"] == pytest.approx(median)
    assert f"the median speed is {median:.1f} tokens/s, below 20" in flag["what"]
    check("--fail-on", "errors,rate-limit", code=0)
    check("--fail-on", "any", code=1)


def test_far_below_p95(at_speed: Any, write: Write, check: Flags) -> None:  # noqa: ANN401
    """So is a median far below what is possible."""
    records = at_speed([40] * 80 + [200] * 20)
    random.Random(1).shuffle(records)
    write(records)
    [flag] = check()["throttling"]
    speeds = [one.tokens_per_second for one in records]
    assert flag["evidence"]["p95"] == pytest.approx(np.percentile(speeds, 95, method="lower"))
    assert "% of the p95" in flag["what"]


@pytest.mark.parametrize(("last", "flagged"), [(40, True), (95, False)])
def test_falling_through_the_day(last: int, flagged: bool, at_speed: Any, write: Write, check: Flags) -> None:  # noqa: ANN401, FBT001
    """A planted throttle, hour by hour, on one of three days; a fall of a few percent is none."""
    for day, end in enumerate((100, last, 100)):
        write(at_speed(np.linspace(100, end, 60).tolist(), start=BEGAN + timedelta(days=day)))
    found = check().get("throttling", [])
    assert bool(found) is flagged
    if flagged:
        evidence = found[0]["evidence"]
        assert (evidence["falling_days"], evidence["worst_day"]) == (1, "2026-11-03")
        assert evidence["worst_fall"] == pytest.approx(0.6, abs=0.08)


def test_cut_off_answers(make: Make, write: Write, check: Flags) -> None:
    """By the provider's word, or by output within 5 % of the ceiling; a few among many are none."""
    cost = Decimal("0.5")
    write(
        [
            *(make(finish_reason="length", output_tokens=7, cost_usd=cost) for _ in range(2)),
            make(finish_reason="stop", max_tokens=1000, output_tokens=950, cost_usd=cost),
            make(finish_reason="stop", max_tokens=1000, output_tokens=949, cost_usd=cost),
            *(make(operation="rare", finish_reason="max_tokens", output_tokens=7) for _ in range(4)),
            *(make(operation="rare", output_tokens=7) for _ in range(96)),
            *(make(operation="embed", call_type="embeddings", max_tokens=1, output_tokens=1) for _ in range(9)),
        ]
    )
    [flag] = check("--fail-on", "truncation", code=1)["truncation"]
    assert (flag["where"], flag["evidence"]["truncated"], flag["evidence"]["calls"]) == ("m", 3, 4)
    assert "they cost $1.5000" in flag["what"]


def test_outliers(make: Make, write: Write, check: Flags) -> None:
    """Calls beyond p99 that took many times the median, by their ids."""
    usual = [make(duration_s=1.0 + n / 1000, input_tokens=100, output_tokens=100) for n in range(198)]
    odd = [make(duration_s=float(60 + n), input_tokens=100, output_tokens=100) for n in range(2)]
    write([*usual, *odd])
    [flag] = check()["outliers"]
    assert flag["evidence"]["ids"] == [odd[1].id, odd[0].id]
    assert (flag["evidence"]["measure"], flag["evidence"]["calls"]) == ("duration", 2)


def test_a_model_slower_than_its_like(at_speed: Any, write: Write, check: Flags) -> None:  # noqa: ANN401
    """Compared with the models that do the same, and no others."""
    for model, speed, operation in (("a", 100, "ask"), ("b", 110, "ask"), ("c", 45, "ask"), ("d", 45, "other")):
        write(at_speed([speed] * 30, model=model, operation=operation))
    [flag] = check()["slow_model"]
    assert flag["where"] == "ask, c"
    assert flag["evidence"]["others"] == 2


def test_errors_retries_and_rate_limits(make: Make, write: Write, check: Flags) -> None:
    """Which errors, how many retries, their time and cost, and how long the provider asked to wait."""
    write(
        [
            *(make(output_tokens=5) for _ in range(6)),
            make(output_tokens=5, retry_count=1),
            make(status="error", error="HTTP 500", http_status=500, duration_s=2.0, cost_usd=Decimal("0.25")),
            make(status="error", error="rate_limit", http_status=429, duration_s=0.5, retry_after_s=20.0),
            make(status="error", error="rate_limit", http_status=429, duration_s=0.5, retry_after_s=1.5, retry_count=1),
        ]
    )
    found = check("--fail-on", "rate-limit", code=1)
    [errors], [limit] = found["errors"], found["rate_limit"]
    assert errors["evidence"] == {
        "calls": 10,
        "failed": 3,
        "retries": 2,
        "errors": {"HTTP 500": 1, "rate_limit": 2},
        "seconds": 3.0,
        "cost_usd": 0.25,
    }
    assert limit["evidence"] == {"responses": 2, "waits_s": 21.5, "longest_wait_s": 20.0}


def test_thresholds_are_settings(at_speed: Any, write: Write, check: Flags) -> None:  # noqa: ANN401
    """What is a red flag is the user's to say."""
    write(at_speed([50] * 40))
    assert check() == {}
    Path("nbtokens.toml").write_text("[thresholds]\ntokens_per_second = 60\n")
    from nbtokens.runtime import runtime  # noqa: PLC0415 - the settings are read anew

    runtime().set_up(anew=True)
    assert set(check()) == {"throttling"}


def test_unknown_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """A word that is no flag is refused, with those that are."""
    with pytest.raises(SystemExit) as end:
        main(["check", "--fail-on", "slowness"])
    assert end.value.code == 2
    assert "'slowness' is no flag; known are throttling, truncation" in capsys.readouterr().err
