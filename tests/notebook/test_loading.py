"""`%load_ext`, `%reload_ext`, `%unload_ext`: once is once, quietly, and afterwards everything is as it was before."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from IPython.core.magic import Magics, line_cell_magic, magics_class

from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import Ledger
    from running import Shell

_CLIENTS = (httpx.Client, httpx.AsyncClient, httpx2.Client, httpx2.AsyncClient)


@magics_class
class _Others(Magics):
    @line_cell_magic
    def tokens(self, line: str, cell: str | None = None) -> str:
        return f"somebody else's {line}"


def _state(shell: Shell) -> dict[str, Any]:
    """Everything in shell and process that an extension could leave something in."""
    inside = shell.shell
    return {
        "events": {name: list(found) for name, found in inside.events.callbacks.items()},
        "transformers": list(inside.input_transformers_cleanup),
        "later transformers": list(inside.input_transformers_post),
        "syntax": list(inside.ast_transformers),
        "magics": {kind: set(found) for kind, found in inside.magics_manager.magics.items()},
        "registry": _ours(inside.magics_manager.registry.values()),
        "configurables": _ours(inside.configurables),
        "names": {name for name in inside.user_ns if re.fullmatch(r"_+i*\d*", name) is None},
        "clients": [dict(vars(client)) for client in _CLIENTS],
        "finders": list(sys.meta_path),
        "handlers": list(logging.getLogger("nbtokens").handlers),
        "subscribers": list(runtime().subscribers),
    }


def _ours(things: Iterable[object]) -> list[object]:
    return [thing for thing in things if type(thing).__module__.startswith("nbtokens")]


def _load(shell: Shell) -> None:
    shell("%load_ext nbtokens", store_history=False)


def _unload(shell: Shell) -> None:
    shell("%unload_ext nbtokens", store_history=False)


def test_quiet(bare: Shell) -> None:
    """Loading prints nothing and displays nothing."""
    ran = bare("%load_ext nbtokens")
    assert (ran.out, ran.err, ran.displays, ran.value) == ("", "", [], None)


def test_clients_made_before_count(shell: Shell, ledger: Ledger) -> None:
    """A client that existed when nbtokens was loaded is recorded, and so is another SDK's."""
    shell("ask()")
    shell("claude.messages.create(model='claude-test', max_tokens=5, messages=[{'role': 'user', 'content': 'x'}])")
    assert [row["api"] for row in ledger.rows()] == ["openai.chat", "anthropic.messages"]


@pytest.mark.parametrize("again", ["%load_ext nbtokens", "%reload_ext nbtokens", "import nbtokens; nbtokens.enable()"])
def test_twice_is_once(again: str, shell: Shell, ledger: Ledger) -> None:
    """Loaded again, in whatever way, a call is one record, shown once, and one unloading undoes it."""
    for _ in range(3):
        shell(again)
    assert shell("%%tokens\nask();").calls() == 1
    assert len(ledger.rows()) == 1
    _unload(shell)
    shell("ask();")
    assert len(ledger.rows()) == 1


def test_unloading_leaves_everything_as_it_was(bare: Shell) -> None:
    """After %unload_ext shell, clients and process hold what they held before %load_ext, and nothing else."""
    before = _state(bare)
    assert before["handlers"] == []
    for _ in range(2):
        _load(bare)
        assert _state(bare)["clients"] != before["clients"]
        bare("ask();", store_history=False)
        bare("%tokens live", store_history=False)
        bare("%tokens", store_history=False)
        bare("%reload_ext nbtokens", store_history=False)
        _unload(bare)
    after = _state(bare)
    for name, value in before.items():
        assert after[name] == value, name


def test_unloading_gives_a_magic_of_the_same_name_back(bare: Shell) -> None:
    """Another extension's %tokens, which ours took the place of, works again afterwards."""
    bare.shell.register_magics(_Others)
    _load(bare)
    assert bare("%tokens on").value is None
    _unload(bare)
    assert bare("%tokens x").value == "somebody else's x"


def test_unloaded_records_nothing(shell: Shell, ledger: Ledger) -> None:
    """After %unload_ext calls are made as ever and not recorded, and the magics are gone, until the next loading."""
    _unload(shell)
    assert shell("ask().model").value == "simulated-model"
    assert "not found" in shell("%tokens", fails=True).err
    assert "not found" in shell("%%tokens\n1", fails=True).err
    assert ledger.rows() == []
    _load(shell)
    shell("ask()")
    assert len(ledger.rows()) == 1


@pytest.mark.parametrize("command", ["%unload_ext nbtokens", "%reload_ext nbtokens"])
def test_in_the_middle_of_a_cell(command: str, shell: Shell, ledger: Ledger) -> None:
    """The cell that unloads or reloads runs to its end, and its calls are recorded while nbtokens is loaded."""
    shell(f"ask()\n{command}\nask();")
    assert len(ledger.rows()) == (1 if "unload" in command else 2)
    assert len({row["cell"] for row in ledger.rows()}) == 1


def test_the_loading_cells_own_calls(bare: Shell, ledger: Ledger) -> None:
    """Calls in the cell that loads nbtokens belong to that cell, with its number."""
    ran = bare("%load_ext nbtokens\nask();")
    row = ledger.only()
    assert (row["execution_count"], row["attribution"]) == (ran.number, "exact")


def test_nothing_is_imported_for_nothing(script: Callable[[str], str]) -> None:
    """Loading does not load what only some commands need: pandas, matplotlib, widgets, tokenizers."""
    printed = script("""
        import sys
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "nbtokens")
        print(sorted({"pandas", "matplotlib", "ipywidgets", "tiktoken", "numpy"} & set(sys.modules)))
    """)
    assert printed == "[]\n"
