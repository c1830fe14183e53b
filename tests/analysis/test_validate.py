"""`validate`: histories with a planted answer, and what is said of them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import statsmodels.api as sm

from nbtokens.analysis.validation import slopes_differ, validate
from nbtokens.cli import main
from nbtokens.history import open_history
from nbtokens.history.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

    Make = Callable[..., Record]
    Write = Callable[[list[Record]], None]

CEILINGS = (256, 1024, 4096)


@pytest.fixture
def planted(make: Make) -> Callable[..., list[Record]]:
    """Calls whose durations are made of these parts."""

    def planted(  # noqa: PLR0913 - the parts
        count: int = 200,
        *,
        per_token: float = 0.02,
        per_ceiling: float = 0.0,
        overhead: float = 0.5,
        noise: float = 0.3,
        full: bool = False,
        seed: int = 1,
        **fields: Any,  # noqa: ANN401 - a record's own types
    ) -> list[Record]:
        chance = random.Random(seed)
        made = []
        for _ in range(count):
            ceiling = chance.choice(CEILINGS)
            tokens = ceiling if full else chance.randrange(20, 240)
            took = overhead + per_token * tokens + per_ceiling * ceiling + abs(chance.gauss(0, noise))
            usual = {"duration_s": took, "output_tokens": tokens, "max_tokens": ceiling, "input_tokens": 5}
            made.append(make(**{**usual, **fields}))
        return made

    return planted


@pytest.mark.parametrize(
    ("parts", "verdict", "words"),
    [
        ({}, "tokens", "time follows the tokens that were generated: each 100 output tokens take"),
        ({"per_ceiling": 0.002}, "both", "but the ceiling matters too"),
        ({"per_token": 0.0, "per_ceiling": 0.002}, "ceiling", "time follows the ceiling that was allowed, not"),
        ({"per_token": 0.0}, "neither", "time follows neither"),
        ({"full": True}, "inseparable", "the ceiling can't be told from the tokens"),
        ({"count": 19}, "too little", "too little to tell: 19 usable calls"),
        ({"count": 0}, "too little", "too little to tell: 0 usable calls"),
        ({"output_tokens": 50}, "too little", "answers of different lengths"),
        ({"max_tokens": None}, "tokens", "Nothing can be said about the ceiling: no call had a max_tokens."),
        ({"max_tokens": 9}, "tokens", "about the ceiling: all calls that had a max_tokens had the same."),
        ({"per_ceiling": 1e-5, "noise": 0.001}, "tokens", "max_tokens makes a difference that is small"),
        ({"status": "error"}, "too little", "0 usable calls"),
        ({"complete": False}, "too little", "0 usable calls"),
        ({"kind": "cache_hit"}, "too little", "0 usable calls"),
    ],
    ids=str,
)
def test_the_conclusion_follows_from_the_data(  # noqa: PLR0913, PLR0917 - parameters and what the test needs
    parts: dict[str, Any],
    verdict: str,
    words: str,
    planted: Callable[..., list[Record]],
    write: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was planted is what is said: the tokens, the ceiling, both, neither, or that it can't be told."""
    write(planted(**parts))
    assert main(["validate", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["runs"][0]["whole"]["verdict"] == verdict
    assert words in data["runs"][0]["whole"]["conclusion"]
    assert main(["validate"]) == 0
    assert words in capsys.readouterr().out


def test_no_false_alarm(planted: Any) -> None:  # noqa: ANN401 - a fixture
    """Where the ceiling does nothing, it is blamed in hardly any of many histories."""
    blamed = [seed for seed in range(60) if validate(columns_of(planted(100, seed=seed))).whole.verdict != "tokens"]
    assert len(blamed) <= 3


def test_figures_are_those_of_statsmodels(planted: Any) -> None:  # noqa: ANN401 - a fixture
    """Each fit, against statsmodels on the same calls."""
    records = planted(per_ceiling=0.0005)
    found = validate(columns_of(records)).whole
    y = np.array([one.duration_s for one in records])
    tokens, ceilings = (
        np.array([getattr(one, of) for one in records], float) for of in ("output_tokens", "max_tokens")
    )
    designs = ((found.by_tokens, [tokens]), (found.by_ceiling, [ceilings]), (found.by_both, [tokens, ceilings]))
    for fit, columns in designs:
        assert fit is not None
        expected = sm.OLS(y, sm.add_constant(np.column_stack(columns))).fit(cov_type="HC3", use_t=True)
        values = [one.value for one in (fit.intercept, *fit.slopes)]
        assert values == pytest.approx(expected.params.tolist())
        assert [one.p for one in fit.slopes] == pytest.approx(expected.pvalues[1:].tolist(), rel=1e-5, abs=1e-12)
    assert found.median_s == pytest.approx(np.median(y))
    effect = found.ceiling_effect_s
    assert effect is not None
    assert effect.value == pytest.approx(found.by_both.slopes[1].value * (4096 - 256))


def test_models_apart(planted: Any, write: Write, capsys: Any) -> None:  # noqa: ANN401 - fixtures
    """Each model has its own test: one may follow the ceiling while another follows the tokens."""
    write([*planted(model="a"), *planted(model="b", per_token=0.0, per_ceiling=0.002)])
    assert main(["validate"]) == 0
    printed = capsys.readouterr().out
    assert "\na: time follows the tokens" in printed
    assert "\nb: time follows the ceiling" in printed


def test_like_calls_side_by_side(planted: Any, write: Write, capsys: Any) -> None:  # noqa: ANN401 - fixtures
    """Calls of one model and operation, by ceiling: averages, and how many reached it."""
    records = planted(operation="ask")
    write(records)
    assert main(["validate", "--json"]) == 0
    [run] = json.loads(capsys.readouterr().out)["runs"]
    assert [one["ceiling"] for one in run["side_by_side"]] == list(CEILINGS)
    for one in run["side_by_side"]:
        like = [record for record in records if record.max_tokens == one["ceiling"]]
        assert one["calls"] == len(like)
        assert one["seconds"] == pytest.approx(np.mean([record.duration_s for record in like]))
        assert one["tokens"] == pytest.approx(np.mean([record.output_tokens for record in like]))
        assert (one["operation"], one["cut"]) == ("ask", 0)


def test_runs_files_and_folders(planted: Any, write: Write, tmp_path: Path, capsys: Any) -> None:  # noqa: ANN401 - fixtures
    """Runs of the history, files, and folders of files are compared with the first."""
    slow = {"per_token": 0.04, "seed": 2}
    write([*planted(run_id="one"), *planted(run_id="two", **slow)])
    for name, parts in (("a", {}), ("b", slow)):
        store = open_history(tmp_path / "metrics" / name, print)
        for record in planted(**parts):
            store.append(record)
        store.journal.path.rename(tmp_path / "metrics" / f"{name}.json")
    (tmp_path / "metrics" / "other.json").write_text('{"not": "ours"}')
    for names in (["one", "two"], [str(tmp_path / "metrics")], [str(tmp_path / "metrics" / f"{n}.json") for n in "ab"]):
        assert main(["validate", *names]) == 0
        printed = capsys.readouterr().out
        ratio = re.search(r"(\d\.\d\d) times the seconds per token \(p < 0.0001\)", printed)
        assert ratio is not None
        assert float(ratio[1]) == pytest.approx(2, abs=0.1)
        assert printed.count("time follows the tokens") == 2
    assert main(["validate", "no such run"]) == 2
    assert "'no such run' is no run of" in capsys.readouterr().err


def test_runs_that_do_not_differ(planted: Any) -> None:  # noqa: ANN401 - a fixture
    """Two runs of one kind are told to be alike; one with too little says nothing."""
    one, other, short = (validate(columns_of(planted(count, seed=count))).whole for count in (200, 201, 5))
    p = slopes_differ(one, other)
    assert p is not None
    assert p > 0.01
    assert slopes_differ(one, short) is None


@pytest.mark.parametrize("suffix", ["png", "svg", "nonsense"])
def test_plot(suffix: str, planted: Any, write: Write, capsys: Any) -> None:  # noqa: ANN401 - fixtures
    """It is drawn into a file; a format that can't be written is told of in one line."""
    write(planted())
    path = Path(f"plot.{suffix}")
    code = main(["validate", "--plot", str(path)])
    assert (code, path.exists()) == ((2, False) if suffix == "nonsense" else (0, True))
    assert ("can't be written to plot.nonsense" in capsys.readouterr().err) is (suffix == "nonsense")
