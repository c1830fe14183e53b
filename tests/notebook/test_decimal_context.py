"""Whatever the user does to his decimal context, amounts are exact, nothing raises, and the context stays as it was."""

from __future__ import annotations

import decimal
from decimal import Decimal, FloatOperation, Inexact, Rounded
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nbtokens
from nbtokens.decimals import OURS
from nbtokens.history.store import Store
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conftest import Ledger
    from running import Shell

    from nbtokens.history.totals import Sums

_PRICES = """
[alerts]
max_operation_cost_usd = 0.1
[prices.gpt-5]
input_per_mtok = 1234.56789
output_per_mtok = 7.7777777
per_hour = 3.33
"""


def _few_digits(context: decimal.Context) -> None:
    context.prec = 3
    context.rounding = decimal.ROUND_UP


def _every_trap(context: decimal.Context) -> None:
    context.prec = 4
    for trap in (Inexact, Rounded, FloatOperation):
        context.traps[trap] = True


def _no_trap(context: decimal.Context) -> None:
    context.prec = 2
    context.clear_traps()


@pytest.fixture(params=[_few_digits, _every_trap, _no_trap])
def context(request: pytest.FixtureRequest) -> Iterator[decimal.Context]:
    """The decimal context of the user's thread."""
    with decimal.localcontext() as context:
        request.param(context)
        yield context


@pytest.fixture
def priced(shell: Shell, ledger: Ledger) -> Shell:
    """The same, with a model that costs amounts of many digits."""
    ledger.folder.with_name("nbtokens.toml").write_text(_PRICES)
    shell("%tokens off")
    shell("%tokens on")  # reads the settings
    return shell


def _exact(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = OURS.add(total, amount)
    return total


def _sum(groups: dict[str | None, Sums]) -> Decimal:
    return _exact(sums.cost_usd for sums in groups.values())


def test_sums_and_prices(context: decimal.Context, priced: Shell, ledger: Ledger) -> None:
    """Prices, sums of all kinds, tallies, loops and the figures of a kernel that starts later are exact."""
    priced("%tokens budget 99999 --per day")
    with nbtokens.operation("asking") as asking:
        for number in range(5):
            priced(f"ask('two words ' * {number * 37 + 1});")
    priced("import nbtokens\nfor row in (tracked := nbtokens.track([1, 2])): ask()")
    tracked = priced("tracked").value
    nbtokens.record(model="m", input_tokens=5, cost_usd="12345.6789012345")
    nbtokens.record(model="gpt-5", provider="openai", input_tokens=123_457, output_tokens=7, duration_s=0.3333333)
    assert context is decimal.getcontext()
    rows = ledger.rows()
    calls = [row for row in rows if row["model"] == "simulated-model"]
    assert len({row["cost_usd"] for row in calls}) > 1
    total = _exact(row["cost_usd"] for row in rows)
    by_hand = next(row for row in rows if row["input_tokens"] == 123_457)
    assert by_hand["input_cost_usd"] == Decimal("152.41604799573")
    assert by_hand["other_cost_usd"] == Decimal("0.000308333025")
    assert asking.cost_usd == _exact(row["cost_usd"] for row in rows if row.get("operation") == "asking")
    assert tracked.cost_usd == _exact(row["cost_usd"] for row in calls[5:7])
    history, session = nbtokens.history(), nbtokens.session()
    for sums in (history.sums, session.sums, history.totals.sums(), session.totals.sums()):
        assert sums.cost_usd == total
    for dimension in ("model", "operation", "day"):
        assert _sum(history.totals.by(dimension)) == _sum(session.totals.by(dimension)) == total
    assert (history.totals + session.totals).sums().cost_usd == OURS.multiply(total, 2)
    assert history.frame()["cost_usd"].sum() == pytest.approx(float(total))
    assert nbtokens.stats()["cost_usd"]["count"] == len(rows)
    runtime().settle(at_exit=True)
    for _ in range(2):
        assert Store(ledger.folder, pytest.fail).totals().sums().cost_usd == total
        (ledger.folder / "totals_checkpoint.json").unlink(missing_ok=True)


def test_what_is_shown(context: decimal.Context, priced: Shell) -> None:
    """Every magic says the same as under Python's own context."""
    for number in range(4):
        nbtokens.record(model="gpt-5", provider="openai", input_tokens=123_457 * number, output_tokens=number)
    lines = ["", "cells", "stats", "cost", "check", "whatif gpt-5-mini", "report", "reprice", "budget", "df"]
    lines += ["estimate ['a b'] * 10 --model gpt-5 --output 100", "archive --before 2999-01", "verify", "summary"]
    theirs = [repr(priced(f"%tokens {line}").value) for line in lines]
    nbtokens.report()
    with decimal.localcontext(OURS):
        ours = [repr(priced(f"%tokens {line}").value) for line in lines]
    assert "$914.5" in theirs[0]
    for line, one, other in zip(lines, theirs, ours, strict=True):
        if line not in ("report", "summary", "archive --before 2999-01"):  # which tell the time
            assert one == other, line
    assert Path(".metrics/archive").is_dir()


def test_made_money_comes_back_from_parquet(context: decimal.Context, ledger: Ledger) -> None:
    """Amounts that go through an export and an archive are what they were."""
    for amount in ("0.0000001234567", "98765.4321", "0.1234567890123456789"):
        nbtokens.record(model="m", input_tokens=1, cost_usd=amount)
    store = runtime().store
    before = [record.cost_usd for record in store.records()]
    assert [str(amount) for amount in before] == ["1.234567E-7", "98765.4321", "0.1234567890123456789"]
    from nbtokens.cli import main  # noqa: PLC0415 - its own process as a rule

    assert main(["archive", "--before", "2999-01"]) == 0
    assert [record.cost_usd for record in Store(ledger.folder, pytest.fail).records()] == before
