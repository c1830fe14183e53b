"""`%tokens estimate EXPR` and `%tokens count EXPR`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import nbtokens

if TYPE_CHECKING:
    from running import Shell


@pytest.fixture
def with_frame(shell: Shell) -> Shell:
    """A shell with a DataFrame `df`."""
    shell.shell.user_ns["df"] = pd.DataFrame({"my text": ["one two three", "four", None]})
    return shell


@pytest.mark.parametrize(
    "line",
    [
        'df["my text"] --model gpt-5-mini --output 200',
        '--output 200 --model=gpt-5-mini df["my text"]',
        'df["my text"].str.upper().str.lower() --model gpt-5-mini --output 100-300',
    ],
)
def test_estimate_of_an_expression(with_frame: Shell, line: str) -> None:
    """An expression of the notebook's own is estimated as by `nbtokens.estimate`, wherever the options stand."""
    found = with_frame(f"%tokens estimate {line}").value
    expected = nbtokens.estimate(["one two three", "four", None], "gpt-5-mini", 200)
    assert (found.rows, found.cost_usd) == (3, expected.cost_usd)


def test_words_that_are_no_expression(with_frame: Shell) -> None:
    """Plain words are the text themselves, also where one of them is a name of Python's."""
    for words, tokens in (("What would this cost ?", 5), ("hello", 1), ("list", 1)):
        report = with_frame(f"%tokens count --model gpt-5 {words}").value
        assert report.data["tokens"] == tokens


def test_count_of_an_expression(with_frame: Shell) -> None:
    """Tokens of a column: all, of how many rows, and how they are spread."""
    report = with_frame('%tokens count df["my text"] --model gpt-5').value
    assert report.data == {"tokens": 4, "rows": 3, "encoding": "o200k_base", "exact": True}
    assert "1 / 2.0 / 3" in repr(report)
    assert with_frame("%tokens count 'one two three'").value.data["tokens"] == 3


def test_what_is_wrong_is_one_line(with_frame: Shell) -> None:
    """A line that can't be answered says why; the user's own errors stay the user's."""
    for line, said in (
        ('estimate df["my text"]', "say which model"),
        ("estimate df --model gpt-5", "give the one that is sent"),
        ('estimate df["my text"] --model gpt-5 --output many', "--output is 'many'"),
    ):
        ran = with_frame(f"%tokens {line}", fails=True)
        assert ran.error == "UsageError"
        assert said in ran.out + ran.err
    assert with_frame('%tokens count df["no such column"]', fails=True).error == "KeyError"


def test_estimate_without_money(with_frame: Shell) -> None:
    """Where amounts of money are hidden, an estimate's are too."""
    with_frame("%tokens hide-cost")
    shown = repr(with_frame("%tokens estimate ['a', 'b'] --model gpt-5 --output 10").value)
    assert "$" not in shown
    assert "•••" in shown
