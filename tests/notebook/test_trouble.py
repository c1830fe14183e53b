"""When something is wrong: calls go on, figures come from memory, and the user is told once, under the cell."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ledger
    from running import Shell


def _in_the_way(ledger: Ledger) -> None:
    shutil.rmtree(ledger.folder)
    ledger.folder.write_text("a file in the folder's place")


def _not_ours(ledger: Ledger) -> None:
    ledger.path.write_text("Dear diary")


@pytest.mark.parametrize("spoil", [_in_the_way, _not_ours])
def test_a_ledger_that_cannot_be_written(spoil: Callable[[Ledger], None], shell: Shell, ledger: Ledger) -> None:
    """Calls work, %tokens works from memory, and the reason is told once, under the cell that met it."""
    spoil(ledger)
    ran = [shell(f"%%tokens\nask('{number}').model") for number in range(3)]
    assert [one.value for one in ran] == ["simulated-model"] * 3
    assert [one.calls() for one in ran] == [1, 1, 1]
    told = [line for one in ran for line in one.out.splitlines() if line.startswith("nbtokens: ")]
    assert len(told) == 1
    assert str(ledger.folder) in told[0]
    assert told[0] in ran[0].out
    overview = shell("%tokens")
    assert [line.split()[2] for line in overview.out.splitlines() if "time  " in line or "session  " in line] == [
        "3",
        "3",
    ]
    assert len(shell("%tokens df").value) == len(shell("%tokens df session").value) == 3
    assert shell("%tokens report").err == ""
    assert shell("%tokens live").err == ""


def test_written_when_it_can_be(shell: Shell, ledger: Ledger) -> None:
    """When the obstacle is gone, what waited in memory is written at the end of the next cell."""
    ledger.path.write_text("Dear diary")
    shell("ask()")
    ledger.path.unlink()
    shell("1")
    assert len(ledger.rows()) == 1
    assert "simulated-model" in (ledger.folder / "USAGE_SUMMARY.md").read_text()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("fallback_prise = 5", "did you mean 'fallback_price'?"),
        ("[prices", "can't be read"),
        ("[prices.m]\ninput_per_mtok = 'cheap'", "input_per_mtok"),
        ("project = 5", "project"),
    ],
)
def test_settings_with_a_mistake(settings: str, told: str, bare: Shell, ledger: Ledger) -> None:
    """A mistake in the settings is told once, under the cell that loads nbtokens; calls are recorded without them."""
    path = ledger.folder.with_name("nbtokens.toml")
    path.write_text(settings)
    out = bare("%load_ext nbtokens").out
    assert out.startswith("nbtokens: ")
    assert len(out.splitlines()) == 1
    assert str(path) in out
    assert told in out
    assert bare("ask();").out == ""
    assert len(ledger.rows()) == 1


def test_a_torn_file(shell: Shell, ledger: Ledger) -> None:
    """A record that a crash cut off is told of once, under the next cell with calls; the others are kept."""
    shell("ask()")
    ledger.path.write_bytes(ledger.path.read_bytes().removesuffix(b"\n]\n") + b',\n{"v":1,"ki')
    ran = [shell("ask();") for _ in range(2)]
    assert [one.out.count("nbtokens: ") for one in ran] == [1, 0]
    assert "torn" in ran[0].out
    assert len(ledger.rows()) == 3


def test_a_fault_of_our_own_stays_with_us(shell: Shell, faults_expected: object) -> None:
    """A subscriber that fails does not reach the user's call, nor the cell."""

    def fails(record: object) -> None:
        raise RuntimeError("ours")

    runtime().subscribers.append(fails)
    ran = shell("%%tokens\nask().model")
    assert ran.value == "simulated-model"
    assert ran.calls() == 1
