"""A call without a label is named by its kind, alike in everything that shows it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import nbtokens
from nbtokens.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

    Made = Callable[..., Record]


@pytest.fixture
def written(make: Made, write: Callable[[list[Record]], None]) -> None:
    """Calls with a label and without, of two kinds; one label is the name of a kind."""
    cut = {"finish_reason": "length", "output_tokens": 100, "cost_usd": Decimal("0.5"), "duration_s": 1.0}
    some = [
        make(**cut, operation=label, call_type="chat", max_tokens=most, scores={"quality": 0.5})
        for label in ("ask", None, "chat")
        for most in (100, 200)
        for _ in range(5)
    ]
    embedded = [make(call_type="embeddings", cost_usd=Decimal("0.1"), input_tokens=7) for _ in range(3)]
    write([*some, *embedded])


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("stats --by operation", {"ask": 10, "chat": 20, "embeddings": 3}),
        ("stats --by operation --by cell", {"ask": 10, "chat": 20, "embeddings": 3}),  # from rows, not from totals
        ("cost", {"ask": 10, "chat": 20, "embeddings": 3}),
        ("summary", {"ask": 10, "chat": 20, "embeddings": 3}),
    ],
)
def test_groups(question: str, names: dict[str, int], written: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The groups by operation, with all of their calls."""
    assert main([*question.split(), "--json"]) == 0
    assert {one["name"]: one["calls"] for one in _read(capsys)["by"]["operation"]} == names
    assert main(question.split()) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    assert "no operation" not in shown


def test_wherever_an_operation_is_named(written: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Flags, savings, tests, scores and percentiles."""
    assert main(["check", "--json"]) == 0
    assert {one["where"] for one in _read(capsys)["flags"] if one["kind"] == "truncation"} == {"ask, m", "chat, m"}
    assert main(["cost", "--json"]) == 0
    assert {one["where"] for one in _read(capsys)["savings"] if one["kind"] == "truncated"} == {"ask, m", "chat, m"}
    assert main(["validate", "--json"]) == 0
    assert {one["operation"] for one in _read(capsys)["runs"][0]["side_by_side"]} == {"ask", "chat"}
    assert main(["scores", "--json"]) == 0
    assert {one["name"]: one["scores"]["quality"]["count"] for one in _read(capsys)["by"]["operation"]} == {
        "ask": 10,
        "chat": 20,
    }
    assert nbtokens.stats("operation")["embeddings"]["input_tokens"]["sum"] == 21
    assert nbtokens.history().stats(operation="chat")["output_tokens"]["count"] == 20


@pytest.mark.parametrize(("name", "calls"), [("ask", 10), ("chat", 20), ("embeddings", 3)])
def test_what_is_shown_can_be_asked_for(
    name: str, calls: int, written: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--operation` with a name from a table has just the calls of its row."""
    for question in ("stats", "check", "cost"):
        assert main([question, "--operation", name, "--json"]) == 0
        assert _read(capsys)["calls"] == calls
    assert nbtokens.stats(operation=name)["input_tokens"]["count"] == (3 if name == "embeddings" else 0)


def _read(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(capsys.readouterr().out)
