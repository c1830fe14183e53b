"""What the notebook's tests share: a shell in this process, a kernel, and clients of the simulated model."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel
from running import PRICES, Kernel, Shell
from traitlets.config import Config

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Ledger

    from nbtokens.demo.endpoint import Endpoint

_SETUP = """
import asyncio, openai, os, threading, time
gpt = openai.OpenAI(max_retries=0)
agpt = openai.AsyncOpenAI(max_retries=0)

def ask(text="hi"):
    return gpt.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": text}])

async def aask(text="hi"):
    return await agpt.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": text}])
"""


@pytest.fixture(scope="session")
def clients(simulated: Endpoint) -> Iterator[dict[str, Any]]:
    """Real clients of the simulated model, made before nbtokens is loaded, and `ask`, which uses one."""
    url, key = simulated.base_url, "none"
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as gpt,
        anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as claude,
    ):

        def ask(text: str = "hi") -> Any:  # noqa: ANN401 - the client's own
            return gpt.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": text}])

        yield {"gpt": gpt, "claude": claude, "ask": ask}


@pytest.fixture
def bare(clients: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> Iterator[Shell]:
    """A shell that does not know nbtokens, in the test's project, with the clients in its namespace."""
    ledger.folder.with_name("nbtokens.toml").write_text(PRICES)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config, colors="nocolor", user_ns=dict(clients))
    yield Shell(shell)
    if "nbtokens" in shell.extension_manager.loaded:
        shell.extension_manager.unload_extension("nbtokens")
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """A shell with nbtokens loaded."""
    bare("%load_ext nbtokens")
    return bare


@pytest.fixture(scope="session")
def kernel(simulated: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with nbtokens loaded, in a project of its own. All tests share it, each with cells of its own."""
    project = tmp_path_factory.mktemp("kernel") / "project"
    (project / ".metrics").mkdir(parents=True)
    (project / "nbtokens.toml").write_text(PRICES)
    with _running_kernel(project, simulated) as kernel:
        yield kernel


@pytest.fixture
def other_kernel(simulated: Endpoint, kernel: Kernel) -> Iterator[Kernel]:
    """Another kernel in the same project."""
    with _running_kernel(kernel.project, simulated) as other:
        yield other


@contextmanager
def _running_kernel(project: Path, simulated: Endpoint) -> Iterator[Kernel]:
    variables = {**os.environ, **simulated.environment(), "PYTHONPATH": str(Path(nbtokens.__file__).parents[1])}
    variables["IPYTHONDIR"] = str(project / "ipython")
    variables.pop("NBTOKENS_DIR", None)
    manager, client = start_new_kernel(
        kernel_name="python3", env=variables, cwd=str(project), extra_arguments=["--log-level=CRITICAL"]
    )
    kernel = Kernel(manager, client, project)
    kernel(_SETUP)
    kernel("%load_ext nbtokens")
    try:
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy()
