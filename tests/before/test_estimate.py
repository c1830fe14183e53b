"""`nbtokens.estimate` and `nbtokens.count_tokens`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from genai_prices import Usage, calc_price

import nbtokens
from nbtokens.estimates import Estimates
from nbtokens.formats.openai import CHAT
from nbtokens.formats.request import Request
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    from decimal import Decimal

    from ledgers import Ledger

TEXTS = ["one two three", "four", "", None, "five six " * 40]


def read_by(model: str, messages: list[dict[str, Any]]) -> int:
    """The input tokens of a request, counted as those of a real one that reports none."""
    tokenizers = Tokenizers()
    tokenizers.encoding_of(model, 30)
    return Estimates(tokenizers).input_tokens(
        Request(msgspec.json.encode({"model": model, "messages": messages})), CHAT, model
    )


def priced(model: str, provider: str | None = None, **counts: int) -> Decimal:
    now = datetime.now(UTC)
    return calc_price(Usage(**counts), model, provider_id=provider, genai_request_timestamp=now).total_price


@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-4", "claude-sonnet-4-5", "gemma-3-270m"])
def test_a_row_is_counted_as_its_request_would_be(model: str) -> None:
    """A text is one message of a chat: the same tokens as of the request, for each family's framing."""
    found = nbtokens.estimate(["one two three"], model, 10, system="Be short.")
    system = {"role": "system", "content": "Be short."}
    assert found.input_tokens == read_by(model, [system, {"role": "user", "content": "one two three"}])
    chat = [{"role": "user", "content": "one two three"}]
    assert nbtokens.estimate(chat, model, 10).input_tokens == read_by(model, chat)
    assert nbtokens.estimate([chat, chat], model, 10).input_tokens == 2 * read_by(model, chat)
    with_system = nbtokens.estimate([chat], model, 10, system="Be short.")
    assert with_system.input_tokens == found.input_tokens


@pytest.mark.parametrize("kind", [list, tuple, iter, pd.Series, np.array], ids=lambda kind: kind.__name__)
def test_rows_of_any_kind(kind: Any) -> None:  # noqa: ANN401
    """A list, an iterator, a Series, an array: the same rows; what has no text is counted apart and not priced."""
    found = nbtokens.estimate(kind(TEXTS), "gpt-5-mini", 100)
    texts = [text for text in TEXTS if text]
    tokens = [read_by("gpt-5-mini", [{"role": "user", "content": text}]) for text in texts]
    assert (found.rows, found.empty_rows) == (5, 2)
    assert found.input_tokens == sum(tokens)
    assert found.output_tokens == 300
    assert found.cost_usd == sum(priced("gpt-5-mini", input_tokens=one, output_tokens=100) for one in tokens)
    assert found.low_usd == sum(priced("gpt-5-mini", input_tokens=one, output_tokens=50) for one in tokens)
    assert found.high_usd == sum(priced("gpt-5-mini", input_tokens=one, output_tokens=200) for one in tokens)


def test_long_rows_are_priced_by_their_own_tier() -> None:
    """A request beyond a price's threshold costs more for each token; the others don't."""
    long, short = "word " * 250_000, "word"
    found = nbtokens.estimate([long, short], "gemini-2.5-pro", (0, 0))
    parts = [int(one) for one in found.input_tokens_by_row]
    assert found.cost_usd == sum(priced("gemini-2.5-pro", input_tokens=one) for one in parts)
    assert found.cost_usd > priced("gemini-2.5-pro", input_tokens=parts[1]) * sum(parts) / parts[1]


def test_many_rows_in_parallel(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows by the thousand are counted by several threads, each in its place; no bar where that is quick."""
    texts = pd.Series(["word " * (number % 50 + 1) for number in range(20_000)])
    found = nbtokens.estimate(texts, "gpt-5-mini", 1, progress=False)
    one_by_one = [nbtokens.count_tokens(text, "gpt-5-mini") for text in texts[:50]]
    around = int(found.input_tokens_by_row[0]) - one_by_one[0]
    assert found.input_tokens_by_row.tolist() == [one + around for one in one_by_one] * 400
    assert capsys.readouterr() == ("", "")


def test_output_and_speed_of_the_history(ledger: Ledger) -> None:
    """Without `output`, answers are as long as this model's so far, at its speed; another operation's don't count."""
    for output, operation in [*((100, "ask") for _ in range(99)), (300, "ask"), (9_000, "other")]:
        nbtokens.record(
            model="gpt-5-mini-2025-08-07",
            provider="openai",
            input_tokens=1,
            output_tokens=output,
            operation=operation,
            duration_s=output / 50,
        )
    found = nbtokens.estimate(["a", "b"], "gpt-5-mini", operation="ask")
    assert found.lengths.usual == 102
    assert found.output_tokens == 204
    assert found.answers_seen == 100
    assert found.seconds == pytest.approx(204 / 50)
    assert found.lengths.low == pytest.approx(100, rel=0.01)
    assert "90 % of the 100 answers so far" in repr(found)
    assert nbtokens.estimate(["a"], "gpt-5", 1).seconds is None


def test_one_answer_makes_no_range() -> None:
    """Of a model that answered once nothing is said of 90 % of its answers."""
    nbtokens.record(model="gpt-5-mini", provider="openai", input_tokens=1, output_tokens=300)
    assert "No range: there was only one answer so far" in repr(nbtokens.estimate(["a", "b"], "gpt-5-mini"))


def test_nothing_known() -> None:
    """No history, no price: tokens all the same, and the report says what is missing and what to do."""
    found = nbtokens.estimate(["a b c"], "my-own-model")
    assert (found.cost_usd, found.low_usd, found.seconds, found.output_tokens) == (None, None, None, None)
    assert found.input_tokens > 0
    text = repr(found)
    assert "give output=200, or --output 200" in text
    assert "[tool.nbtokens.prices]" in text
    assert "$0" not in text


def test_embeddings_write_nothing() -> None:
    """A model of embeddings has no answers and no messages; what is counted is the text alone."""
    found = nbtokens.estimate(["one two three"], "text-embedding-3-small")
    assert found.input_tokens == nbtokens.count_tokens("one two three", "text-embedding-3-small")
    assert found.output_tokens == 0
    assert (
        found.cost_usd == found.high_usd == priced("text-embedding-3-small", "openai", input_tokens=found.input_tokens)
    )


def test_rows_over_the_context_window() -> None:
    """A row that doesn't fit with its answer is told of, by its position."""
    rows = ["word", "word " * 399_000, "word"]
    found = nbtokens.estimate(rows, "gpt-5-mini", 2_000)
    assert found.context_window == 400_000
    assert found.rows_over_context == [1]
    assert "rows 1 (counted from 0)" in repr(found)
    assert nbtokens.estimate(rows, "gpt-5-mini", 0).rows_over_context == []


def test_an_inexact_count_widens_the_range() -> None:
    """Claude's tokens are counted with another encoding: that is said, and the range is wider by it."""
    found = nbtokens.estimate(["word " * 1000], "claude-sonnet-4-5", (0, 0))
    assert not found.exact
    assert "nearest encoding" in repr(found)
    assert found.low_usd is not None
    assert found.cost_usd is not None
    assert found.high_usd is not None
    assert float(found.low_usd / found.cost_usd) == pytest.approx(0.9, abs=0.01)
    assert float(found.high_usd / found.cost_usd) == pytest.approx(1.1, abs=0.01)
    assert nbtokens.estimate(["word"], "gpt-5", 0).exact


def test_nothing_is_sent_and_nothing_recorded(ledger: Ledger) -> None:
    """An estimate is no call."""
    nbtokens.estimate(["a"], "gpt-5", 1)
    assert ledger.rows(None) == []


def test_count_tokens_keeps_the_form() -> None:
    """A number for a text, a column with the same index for a column, a list for a list."""
    one = nbtokens.count_tokens("one two three", "gpt-5")
    assert one == 3
    column = nbtokens.count_tokens(pd.Series(["one two three", None], index=["x", "y"], name="text"), "gpt-5")
    pd.testing.assert_series_equal(column, pd.Series([3, 0], index=["x", "y"], name="text"))
    assert nbtokens.count_tokens(["one two three", float("nan"), 12], "gpt-5") == [3, 0, 1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pd.DataFrame({"text": ["a"]}), r"as df\['text'\]"),
        (3, "int can't be counted"),
        ([[{"role": "user", "content": object()}]], "no chat that can be sent as JSON"),
    ],
)
def test_what_can_not_be_estimated(data: Any, said: str) -> None:  # noqa: ANN401
    """The error says what to give instead."""
    with pytest.raises(nbtokens.NbtokensError, match=said):
        nbtokens.estimate(data, "gpt-5", 1)
    with pytest.raises(nbtokens.NbtokensError, match="give tokens for each answer"):
        nbtokens.estimate(["a"], "gpt-5", (9, 1))


def test_forms_and_data() -> None:
    """It shows as HTML and as text with the same figures, and has them as data."""
    found = nbtokens.estimate(["a"] * 7, "gpt-5", 10)
    data = found.report().data
    assert (data["rows"], data["cost_usd"]) == (7, found.cost_usd)
    assert "<td" in found._repr_html_()
    assert "70 (10 each)" in found._repr_html_()
    assert "70 (10 each)" in repr(found)
    assert "70 (10 each) |" in found._repr_markdown_()
