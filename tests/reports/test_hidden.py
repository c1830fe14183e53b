"""Reports without money."""

from __future__ import annotations

import pytest

from nbtokens.reports.hidden import hide_money, without_money
from nbtokens.reports.report import Report, Table


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("$0.00", "•••"),
        ("$1,234.56 + 3 unpriced", "••• + 3 unpriced"),
        ("between $-0.0000042 and -$5, per day.", "between ••• and •••, per day."),
        ("42 tok/s, 3 calls, $HOME", "42 tok/s, 3 calls, $HOME"),
    ],
)
def test_amounts(text: str, hidden: str) -> None:
    """Each amount of money is hidden, and nothing else."""
    assert hide_money(text) == hidden


def test_every_part() -> None:
    """Title, headings, cells and sentences."""
    shown = "$1"
    table = Table(f"over {shown}", ("a", ">cost"), (("x", shown), (f"for {shown}", "5")))
    report = without_money(Report(f"title {shown}", (table, f"sentence {shown}.")))
    assert "$" not in repr(report)
    assert repr(report).count("•••") == 5
    assert "5" in repr(report)
