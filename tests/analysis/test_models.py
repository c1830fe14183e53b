"""`prices`, `whatif`, `count`, `estimate`: against genai-prices, tiktoken and the records themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from genai_prices import Usage, calc_price

import nbtokens
from nbtokens.cli import main
from nbtokens.model_facts import siblings
from nbtokens.reports.as_json import as_json
from nbtokens.runtime import runtime
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

    Make = Callable[..., Record]
    Write = Callable[[list[Record]], None]

NOW = datetime.now(UTC)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Ask, as JSON; money as exact decimals."""

    def ask(*words: str) -> dict[str, Any]:
        assert main([*words, "--json"]) == 0
        answer: dict[str, Any] = json.loads(capsys.readouterr().out, parse_float=Decimal)
        return answer

    return ask


def priced(model: str, provider: str, **usage: int) -> Decimal:
    return calc_price(Usage(**usage), model, provider_id=provider, genai_request_timestamp=NOW).total_price


def test_prices(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - a fixture
    """The price is that of genai-prices; the context window too."""
    answer = ask("prices", "gpt-5")
    assert (answer["provider"], answer["model"], answer["context_window"]) == ("openai", "gpt-5", 400_000)
    assert Decimal(answer["prices"][-1]["input"]) == priced("gpt-5", "openai", input_tokens=1_000_000)
    assert Decimal(answer["prices"][-1]["output"]) == priced("gpt-5", "openai", output_tokens=1_000_000)
    assert main(["prices", "gpt-5"]) == 0
    assert "Context window: 400,000 tokens." in capsys.readouterr().out


def test_prices_over_time(ask: Any) -> None:  # noqa: ANN401 - a fixture
    """A model whose price has changed has a row for each."""
    assert [one["when"] for one in ask("prices", "o3")["prices"]] == ["", "since 2025-06-10"]


def test_prices_of_ones_own(ask: Any) -> None:  # noqa: ANN401 - a fixture
    """The user's own price is shown, and known where nobody else knows one."""
    Path("nbtokens.toml").write_text('[prices."mine"]\ninput_per_mtok = 3\noutput_per_mtok = 4.5\n')
    runtime().set_up(anew=True)
    assert ask("prices", "mine")["own"] == {
        "input": 3,
        "output": Decimal("4.5"),
        "cache_read": None,
        "cache_write": None,
    }


def test_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none brings the closest ones."""
    assert main(["prices", "claude-sonet-4-5"]) == 2
    assert "no price of 'claude-sonet-4-5' is known; the closest are claude-sonnet-4-5" in capsys.readouterr().err
    assert main(["whatif", "no-such-model-at-all"]) == 2
    assert "no price of 'no-such-model-at-all' is known" in capsys.readouterr().err


def test_siblings() -> None:
    """Others of the same generation of chat models, none that does something else, none that is gone."""
    assert {"gpt-5-mini", "gpt-5-nano"} <= set(siblings("gpt-5", "openai"))
    assert not any(word in name for name in siblings("gpt-5", "openai") for word in ("codex", "image", "audio", "5.1"))
    assert siblings("no-such-model", "openai") == []


def test_whatif(make: Make, write: Write, ask: Any) -> None:  # noqa: ANN401 - a fixture
    """Each call priced anew with its own tokens, cached ones too; what is not priced both ways is left out."""
    usages = [(1000, 200, None), (5000, 10, 4000), (300_000, 1, None)]
    write(
        [
            *(
                make(
                    model="gpt-5",
                    provider="openai",
                    input_tokens=read,
                    output_tokens=written,
                    cache_read_input_tokens=cached,
                    cost_usd=Decimal(1),
                )
                for read, written, cached in usages
            ),
            make(model="gpt-5", input_tokens=7, output_tokens=1),
            make(model="e", call_type="embeddings", input_tokens=7, cost_usd=Decimal(1)),
            make(model="gpt-5", status="error"),
            make(kind="cache_hit", model="gpt-5", input_tokens=7),
        ]
    )
    [one] = ask("whatif", "anthropic/claude-haiku-4-5")["models"]
    expected = sum(
        priced("claude-haiku-4-5", "anthropic", input_tokens=r, output_tokens=w, cache_read_tokens=c or 0)
        for r, w, c in usages
    )
    assert (one["used"], one["instead"]) == ("gpt-5", "claude-haiku-4-5")
    assert (one["calls"], one["left_out"], one["too_long"]) == (3, 1, 1)
    assert (Decimal(one["cost_usd"]), Decimal(one["would_cost_usd"])) == (3, expected)


@pytest.mark.parametrize("words", [["one", "two three"], ["--file", "text.txt"]], ids=["words", "file"])
def test_count(words: list[str], ask: Any) -> None:  # noqa: ANN401 - a fixture
    """The tokens of a text, as they are counted everywhere here."""
    Path("text.txt").write_text("one two three")
    answer = ask("count", "--model", "gpt-5", *words)
    assert answer["tokens"] == Tokenizers().count("one two three", "gpt-5", wait=10)
    assert answer["characters"] == 13


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["count"], "give a text, or --file PATH"),
        (["count", "x", "--file", "y"], "give a text, or --file PATH"),
        (["count", "--file", "nowhere.txt"], "nowhere.txt can't be read"),
        (["estimate", "x"], "say which model: --model NAME"),
        (["estimate", "--model", "gpt-5", "--output", "long", "x"], "--output is 'long'; give tokens for each answer"),
    ],
)
def test_what_can_not_be_counted(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is missing."""
    assert main(words) == 2
    assert error in capsys.readouterr().err


def test_estimate(make: Make, write: Write, ask: Any) -> None:  # noqa: ANN401 - a fixture
    """The very report that `nbtokens.estimate` gives: of this text, so often, by this operation's answers."""
    write([make(model="gpt-5", operation="ask", output_tokens=100, input_tokens=1, duration_s=2.0) for _ in range(9)])
    write([make(model="gpt-5", operation="other", output_tokens=999, input_tokens=1, duration_s=2.0) for _ in range(9)])
    answer = ask("estimate", "--model", "gpt-5", "--operation", "ask", "--times", "10", "one", "two")
    expected = nbtokens.estimate(["one two"] * 10, "gpt-5", operation="ask")
    assert answer == json.loads(as_json(expected.report()), parse_float=Decimal)
    cost = priced("gpt-5", "openai", input_tokens=expected.input_tokens // 10, output_tokens=100) * 10
    assert Decimal(answer["cost_usd"]) == cost
    assert float(answer["seconds"]) == pytest.approx(20, rel=0.03)
    given = ask("estimate", "--model", "gpt-5", "--output", "50-150", "x")
    assert given == json.loads(as_json(nbtokens.estimate("x", "gpt-5", (50, 150)).report()), parse_float=Decimal)
    assert given["output_tokens"] == 100
