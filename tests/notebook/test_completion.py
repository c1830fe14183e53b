"""Completion behind `%tokens` and `%%tokens`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from running import Kernel, Shell


def completed(shell: Shell, text: str, cursor: int | None = None) -> list[str]:
    """What stands in the line after each of the completions is taken."""
    at = len(text) if cursor is None else cursor
    with provisionalcompleter():
        found = list(shell.shell.Completer.completions(text, at))
    return [text[: one.start] + one.text + text[one.end :] for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%tokens li", ["%tokens live"]),
        ("%tokens hide-c", ["%tokens hide-cost"]),
        ("%tokens foo", ["%tokens footer"]),
        ("x = %tokens df", ["x = %tokens df"]),
        ("a = 1\n%tokens foo", ["a = 1\n%tokens footer"]),
        ("%tokens df ", ["%tokens df session"]),
        ("%tokens footer o", ["%tokens footer off", "%tokens footer on"]),
        ("%tokens budget of", ["%tokens budget off"]),
        ("%tokens budget 5.00 --p", ["%tokens budget 5.00 --per"]),
        ("%tokens budget --per mi", ["%tokens budget --per minute"]),
        ("%tokens budget 5.00 --then w", ["%tokens budget 5.00 --then wait", "%tokens budget 5.00 --then warn"]),
        ("%tokens streams ", ["%tokens streams exact", "%tokens streams off"]),
        ("%tokens stats --form", ["%tokens stats --format"]),
        ("%tokens stats --format js", ["%tokens stats --format json"]),
        ("%tokens stats --model sim", ["%tokens stats --model simulated-model"]),
        ("%tokens stats --operation na", ["%tokens stats --operation names"]),
        ("%tokens tail --f", ["%tokens tail --follow"]),
        ("%tokens tail -n 5 --j", ["%tokens tail -n 5 --json"]),
        ("%%tokens --q", ["%%tokens --quiet"]),
        ("%%tokens --op x --q", ["%%tokens --op x --quiet"]),
    ],
)
def test_what_is_offered(text: str, expected: list[str], shell: Shell) -> None:
    """Commands, options, and values that the history holds; and nothing besides."""
    nbtokens.record(model="simulated-model", operation="names", input_tokens=1)
    assert completed(shell, text) == expected


def test_every_command_is_offered(shell: Shell) -> None:
    """Behind the magic stand all the commands that its help names."""
    offered = {line.split()[1] for line in completed(shell, "%tokens ")}
    helped = {line.split()[1] for line in shell("%tokens help").out.splitlines() if line.startswith("    %tokens ")}
    assert {name for name in helped if name.replace("-", "_").isidentifier() and name[0] != "-"} - {"the"} <= offered


def test_names_of_models(shell: Shell) -> None:
    """The price data's models and the user's own are known by name, once the data is loaded."""
    runtime().meter.wait_for_prices(20)
    names = runtime().model_names()
    assert {"simulated-model", "gpt-5-mini"} <= set(names)


USUAL = {
    "embedding", "query_embedding", "rag_input", "rag_output", "chat_completion", "text_generation",
    "text_classification",
}  # fmt: skip


@pytest.mark.parametrize("before", ["%%tokens --op ", 'with nbtokens.operation("', "@nb.operation( '"])
def test_labels_of_operations(before: str, shell: Shell) -> None:
    """Where a label stands, the usual ones are offered, and those that the history holds."""
    nbtokens.record(model="simulated-model", operation="my_own", input_tokens=1)
    assert set(completed(shell, before)) == {f"{before}{name}" for name in (*USUAL, "my_own")}
    assert completed(shell, f"{before}rag_i") == [f"{before}rag_input"]
    assert completed(shell, f"{before}my") == [f"{before}my_own"]


@pytest.mark.parametrize("text", ["tokens li", "'%tokens' + li", "%token li", "print(x"])
def test_elsewhere_it_is_as_ever(text: str, shell: Shell) -> None:
    """Where no magic of ours stands, the completions are those of IPython alone."""
    with_ours = completed(shell, text)
    shell("%unload_ext nbtokens")
    assert completed(shell, text) == with_ours


def test_unloading_takes_it_back(shell: Shell) -> None:
    """After %unload_ext nothing of ours is asked."""
    shell("%unload_ext nbtokens")
    assert shell.shell.Completer.custom_matchers == []


def test_in_a_kernel(kernel: Kernel) -> None:
    """A front end that asks the kernel gets them."""
    kernel.client.complete("%tokens hide-c", 14)
    while (reply := kernel.client.get_shell_msg(timeout=20))["msg_type"] != "complete_reply":
        pass
    assert reply["content"]["matches"] == ["hide-cost"]
    assert (reply["content"]["cursor_start"], reply["content"]["cursor_end"]) == (8, 14)
