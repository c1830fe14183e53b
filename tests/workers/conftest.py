"""What the tests of processes share: cells in a shell of a process of their own, and work for its workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pytest

if TYPE_CHECKING:
    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint

_WORK: Final = """
import os, signal, sys, threading, warnings
import httpx

warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point here
URL = os.environ["MODEL_URL"]


def ask(prompt="hi"):
    with httpx.Client(verify=False) as client:
        client.post(URL + "/v1/completions", json={"model": "m", "prompt": prompt}).raise_for_status()
    return os.getpid(), prompt


def ask_in_thread(prompt="hi"):
    thread = threading.Thread(target=ask, args=(prompt,))
    thread.start()
    thread.join()
    return os.getpid(), prompt


def ask_by(prompt="hi"):
    import nbtokens

    with nbtokens.operation("of the worker", inner=True):
        return ask(prompt)


def ask_and_fail(prompt="hi"):
    ask(prompt)
    raise LookupError(prompt)


def ask_and_die(prompt="hi"):
    ask(prompt)
    os.kill(os.getpid(), signal.SIGKILL)


def ask_often(prompts=("hi",) * 50):
    return [ask(prompt) for prompt in prompts]


def fail(what):
    raise LookupError(what)


def ask_in_pool(prompts):
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(ask, prompts))


def modules(_=None):
    return sorted(name for name in sys.modules if name.partition(".")[0] == "nbtokens")
"""

_SHELL: Final = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config, colors="nocolor")
for cell in json.loads(sys.argv[1]):
    shell.run_cell(cell, store_history=True).raise_error()
"""


class Cells(Protocol):
    """Runs cells."""

    def __call__(self, *cells: str, **environment: str) -> str:
        """Run cells, in order, in a shell in a process of its own; returns what they printed."""


@pytest.fixture
def cells(script: Script, simulated: Endpoint, ledger: Ledger, tmp_path: Path) -> Cells:
    """Runs cells that may import `work`, whose functions ask a simulated model."""
    Path("work.py").write_text(_WORK)

    def run(*cells: str, **environment: str) -> str:
        places = {"MODEL_URL": simulated.base_url, "IPYTHONDIR": str(tmp_path / "ipython")}
        return script(_SHELL, json.dumps(cells), **places, **environment)

    return run
