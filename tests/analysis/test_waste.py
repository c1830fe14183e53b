"""What was wasted, found by columns, against a plain walk over the records of generated histories."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from genai_prices import Usage, calc_price
from made_up import BEGAN, maker

from nbtokens.analysis.gathered import groups
from nbtokens.analysis.savings import savings_of
from nbtokens.analysis.waste import FIELDS, Waste
from nbtokens.history import open_history
from nbtokens.history.columns import columns_of
from nbtokens.model_facts import siblings
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbtokens.history.columns import Columns
    from nbtokens.record import Record

CUT = {"length", "max_tokens"}


def history(seed: int, count: int = 600) -> list[Record]:
    """Calls of all that may be wasted, in a few minutes, some with money of many digits."""
    chance, make = random.Random(seed), maker()
    records = []
    for number in range(count):
        fields: dict[str, Any] = {
            "started_at": BEGAN + timedelta(seconds=8 * number + chance.random()),
            "kind": chance.choice(["call"] * 9 + ["cache_hit"]),
            "status": chance.choice(["ok"] * 9 + ["error"]),
            "model": chance.choice(["gpt-5", "gpt-5-mini", None]),
            "request_model": "gpt-5",
            "provider": "openai",
            "operation": chance.choice([None, "ask", "sum_up"]),
            "call_type": chance.choice(["chat", "chat", "embeddings"]),
            "notebook": chance.choice([None, "a.ipynb"]),
            "cell": chance.choice([None, "c1", "c2"]),
            "session": chance.choice(["s1", "s2"]),
            "execution_count": chance.randrange(3),
            "finish_reason": chance.choice(["stop", "stop", "length"]),
            "stream": chance.choice([None, True, False]),
            "complete": chance.choice([True, True, None, False]),
            "input_tokens": chance.choice([50, 900, 5000]),
            "output_tokens": chance.choice([20, 800]),
            "cache_read_input_tokens": chance.choice([None, None, 40]),
            "reasoning_output_tokens": chance.choice([None, None, 5]),
            "request_hash": chance.choice([None, *map(str, range(40))]),
            "prefix_hash": chance.choice([None, "p", "q"]),
            "cost_usd": chance.choice([None, Decimal(0), Decimal("0.25"), Decimal(1) / 3, Decimal("250000000.5")]),
        }
        records.append(make(**fields))
    return records


def look_at(blocks: Iterable[Columns]) -> Any:  # noqa: ANN401 - what is found
    waste = Waste()
    for block in blocks:
        waste.look(block)
    return waste.found()


def walked(records: list[Record]) -> dict[str, dict[Any, list[Decimal]]]:
    """The same by the rules of docs/analysis.md, one record after the other: the costs of each group."""
    found: dict[str, dict[Any, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    first: dict[str, Record] = {}
    hours: dict[Any, list[Decimal]] = defaultdict(list)
    for one in records:
        if one.kind != "call" or not one.cost_usd:
            continue
        model = one.model or one.request_model
        where = ", ".join(filter(None, (one.operation or one.call_type, model)))
        if one.status != "ok":
            found["failed"][model].append(one.cost_usd)
            continue
        before = first.get(one.request_hash or "")
        if before is not None:
            found["repeated"][repeated(one, before, where)].append(one.cost_usd)
            continue
        if one.request_hash and one.complete is not False:
            first[one.request_hash] = one
        found["cut_off"][where] += [one.cost_usd] * (one.finish_reason in CUT)
        if is_short(one):
            found["short"][model].append(one.cost_usd)
        if not one.stream:
            hours[where, one.started_at.hour].append(one.cost_usd)
    for (where, _), costs in hours.items():
        found["bulks"][where] += costs if len(costs) >= 100 else []
    return {kind: {name: costs for name, costs in of.items() if costs} for kind, of in found.items()}


def repeated(one: Record, before: Record, where: str) -> tuple[str, str]:
    if one.call_type == "embeddings":
        return "embeddings", where
    place, was = ((of.notebook, of.cell, of.session, of.execution_count) for of in (one, before))
    if one.cell is not None and place[:2] == was[:2] and place != was:
        return "rerun", f"{one.notebook or ''} [{one.cell}]".strip()
    return "identical", where


def is_short(one: Record) -> bool:
    few = (one.input_tokens or 0) <= 1000 and (one.output_tokens or 0) <= 100 and not one.reasoning_output_tokens
    return few and one.call_type != "embeddings" and one.finish_reason not in CUT


@pytest.mark.parametrize("seed", range(4))
def test_found_is_what_a_plain_walk_finds(seed: int) -> None:
    """Every group, how many calls and what they cost, to the last digit that 28 can hold."""
    records = history(seed, 1500)
    found, expected = look_at(columns_of(records, 100)), walked(records)
    for name in ("failed", "repeated", "cut_off", "short", "bulks"):
        groups = getattr(found, name)()
        assert {key: some.calls for key, some in groups.items()} == {
            k: len(v) for k, v in expected.get(name, {}).items()
        }, name
        for key, some in groups.items():
            assert abs(some.cost - sum(expected[name][key])) < Decimal("1e-12"), (name, key)


def test_the_same_from_a_file_of_which_little_is_read(tmp_path: Path) -> None:
    """Reading only the fields that are looked at, and in blocks, changes nothing."""
    records = history(9)
    store = open_history(tmp_path / ".metrics", lambda _: None)
    for record in records:
        store.append(record)
    meter = runtime().meter
    meter.wait_for_prices(20)
    whole, little = (
        savings_of(look_at(blocks), meter.price, siblings) for blocks in (columns_of(records), store.columns(FIELDS))
    )
    assert len(whole) > 10
    assert [one[:4] for one in whole] == [one[:4] for one in little]


def test_rows_are_grouped_by_codes_of_any_size() -> None:
    """Codes that share their last bits, as fingerprints may, are told apart; so are the least and the greatest."""
    codes = np.array([2**63 - 1, -(2**63), 7, 7 + (1 << 16), 2**63 - 1, 7, -(2**63), 7 + (1 << 32)], np.int64)
    found = groups(codes, np.arange(len(codes)))
    assert [rows.tolist() for rows in found] == [[0, 4], [1, 6], [2, 5], [3], [7]]
    assert [rows.tolist() for rows in groups(codes, np.array([5, 6, 7, 2]), least=2)] == [[5, 2]]
    assert groups(codes, np.arange(0)) == []


def test_a_prefix_of_known_length() -> None:
    """Where the provider read a block from its cache, its length is known; what writing it costs is taken off."""
    make = maker()
    usual = {"model": "claude-sonnet-4-5", "provider": "anthropic", "cost_usd": Decimal("0.1"), "stream": True}
    calls = [make(**usual, prefix_hash="p", input_tokens=9_000, output_tokens=200) for _ in range(11)]
    calls.append(make(**usual, prefix_hash="p", input_tokens=9_000, output_tokens=200, cache_read_input_tokens=4_000))
    meter = runtime().meter
    meter.wait_for_prices(20)
    [saving] = savings_of(look_at(columns_of(calls)), meter.price, siblings)
    plain, read, write = (
        calc_price(usage, "claude-sonnet-4-5", provider_id="anthropic").total_price
        for usage in (
            Usage(input_tokens=4_000),
            Usage(input_tokens=4_000, cache_read_tokens=4_000),
            Usage(input_tokens=4_000, cache_write_tokens=4_000),
        )
    )
    assert (saving.kind, saving.calls, saving.at_most) == ("prefix", 10, False)
    assert saving.saved_usd == (plain - read) * 10 - (write - plain)
    assert "1 leading block; as long as the provider reported" in saving.advice
