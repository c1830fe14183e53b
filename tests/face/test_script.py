"""nbtokens in a plain script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients import MESSAGES_TOKENS

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint

QUESTION: Final = """[{"role": "user", "content": "Why is the sky blue?"}]"""


def test_leaves_ledger_and_summary_behind(simulated: Endpoint, script: Script, ledger: Ledger) -> None:
    """A script that does nothing but switch on and call leaves the history and the summary; it prints nothing."""
    printed = script(
        f"""
        import sys
        import nbtokens
        nbtokens.enable()
        import openai

        client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
        with nbtokens.operation("ask"):
            for _ in range(3):
                client.chat.completions.create(model="gpt-5", messages={QUESTION})
        client.close()
        """,
        simulated.base_url,
    )
    assert printed == ""
    rows = ledger.rows()
    assert [(row["operation"], row["input_tokens"]) for row in rows] == [("ask", MESSAGES_TOKENS)] * 3
    summary = (ledger.folder / "USAGE_SUMMARY.md").read_text()
    assert "simulated-model" in summary
    assert "ask" in summary
    assert (ledger.folder / "totals_checkpoint.json").exists()
    assert nbtokens.history().sums.calls == 3


def test_nothing_is_left_by_nothing(script: Script, ledger: Ledger) -> None:
    """A script without calls leaves no file."""
    script("import nbtokens\nnbtokens.enable()\nnbtokens.disable()\nnbtokens.enable()")
    assert [path.name for path in ledger.folder.iterdir()] == []


def test_asyncio(simulated: Endpoint, script: Script, ledger: Ledger) -> None:
    """The same for an asynchronous script, and one that ends with an exception."""
    script(
        f"""
        import asyncio, sys
        import nbtokens
        import anthropic

        nbtokens.enable()

        @nbtokens.operation("ask", team="blue")
        async def ask(client):
            async with client.messages.stream(model="claude", max_tokens=50, messages={QUESTION}) as stream:
                return await stream.get_final_message()

        async def main():
            async with anthropic.AsyncAnthropic(base_url=sys.argv[1], api_key="none") as client:
                await asyncio.gather(*(ask(client) for _ in range(4)))
            assert nbtokens.session().sums.calls == 4
            raise KeyError("over")

        try:
            asyncio.run(main())
        except KeyError:
            sys.exit(0)
        """,
        simulated.base_url,
    )
    rows = ledger.rows()
    assert [(row["operation"], row["tags"], row["input_tokens"]) for row in rows] == [
        ("ask", {"team": "blue"}, MESSAGES_TOKENS)
    ] * 4
    assert (ledger.folder / "USAGE_SUMMARY.md").exists()


def test_exit_without_waiting(simulated: Endpoint, script: Script, ledger: Ledger) -> None:
    """A call that was made is in the file even if the process ends at once, without its exit functions."""
    script(
        """
        import os, sys
        import httpx
        import nbtokens

        nbtokens.enable()
        httpx.post(sys.argv[1] + "/v1/completions", json={"model": "m", "prompt": "Hi"})
        os._exit(0)
        """,
        simulated.base_url,
    )
    assert len(ledger.rows(None)) == 1


def test_exit_while_the_summary_is_written(script: Script, ledger: Ledger) -> None:
    """A process that ends while the summary is being written leaves it whole, and nothing beside it."""
    script(
        """
        import sys, threading, time
        import nbtokens

        writing = threading.Event()

        def slow_disk(event, arguments):
            if event == "os.rename" and threading.current_thread() is not threading.main_thread():
                writing.set()
                time.sleep(0.5)

        sys.addaudithook(slow_disk)
        nbtokens.record(model="last-one", input_tokens=1, cost_usd=0)
        assert writing.wait(10)
        """
    )
    assert "last-one" in (ledger.folder / "USAGE_SUMMARY.md").read_text()
    assert [path.name for path in ledger.folder.iterdir() if "SUMMARY" in path.name] == ["USAGE_SUMMARY.md"]


def test_sessions(script: Script, ledger: Ledger) -> None:
    """Each process is a session of its own, with one id on all of its records."""
    source = "import nbtokens\nfor _ in range(2):\n    nbtokens.record(model='m', input_tokens=1, cost_usd=0)"
    script(source)
    script(source)
    sessions = [row["session"] for row in ledger.rows()]
    assert sessions[0] == sessions[1] != sessions[2] == sessions[3]


def test_the_face() -> None:
    """What the package offers is what it says it offers, each documented."""
    assert sorted(nbtokens.__all__) == sorted(set(nbtokens.__all__))
    for name in nbtokens.__all__:
        assert hasattr(nbtokens, name)
        assert name.startswith("__") or getattr(nbtokens, name).__doc__
