"""What the kernel tells the front end's status bar, over its comm."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel
from running import PRICES, Kernel

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.demo.endpoint import Endpoint

ASK = (
    "import openai\nclient = openai.OpenAI(max_retries=0)\n"
    "def ask():\n"
    "    client.chat.completions.create(model='gpt-5', messages=[{'role': 'user', 'content': 'hi'}])"
)


@pytest.fixture
def server_kernel(simulated: Endpoint, tmp_path: Path) -> Iterator[Kernel]:
    """A kernel as Jupyter Server starts it."""
    project = tmp_path / "project"
    (project / ".metrics").mkdir(parents=True)
    (project / "nbtokens.toml").write_text(PRICES)
    variables = {**os.environ, **simulated.environment(), "PYTHONPATH": str(Path(nbtokens.__file__).parents[1])}
    variables |= {"IPYTHONDIR": str(tmp_path / "ipython"), "JPY_SESSION_NAME": str(project / "a.ipynb")}
    manager, client = start_new_kernel(
        kernel_name="python3", env=variables, cwd=str(project), extra_arguments=["--log-level=CRITICAL"]
    )
    yield Kernel(manager, client, project)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.context.destroy()


def next_told(kernel: Kernel, kind: str = "comm_msg") -> dict[str, Any]:
    """The next message of our comm: what was told."""
    while True:
        message = kernel.next_message()
        if message["msg_type"] == kind and message["content"].get("target_name", "nbtokens") == "nbtokens":
            content: dict[str, Any] = message["content"]
            return content


def test_from_loading_to_unloading(server_kernel: Kernel) -> None:
    """Loading opens the comm with nothing to show; calls and hidden money change it; a page that asks is told."""
    kernel = server_kernel
    kernel(ASK)
    kernel.send("%load_ext nbtokens")
    opened = next_told(kernel, "comm_open")
    assert opened["data"] == {"text": "", "title": ""}
    kernel.send("ask()")
    told = next_told(kernel)["data"]
    assert re.fullmatch(r"LLM (\$0\.\d{4}) · \1 in all", told["text"])
    assert told["title"].startswith("LLM usage. This session: 1 call, 1 tokens in, ")
    ask = kernel.client.session.msg("comm_msg", {"comm_id": opened["comm_id"], "data": {"ask": "shown"}})
    kernel.client.shell_channel.send(ask)
    assert next_told(kernel)["data"] == told
    kernel.send("%tokens hide-cost")
    assert next_told(kernel)["data"]["text"] == "LLM 1 call · 1 in all"
    kernel.send("%unload_ext nbtokens")
    assert next_told(kernel, "comm_close")["comm_id"] == opened["comm_id"]


def test_a_front_end_that_does_not_know_it(server_kernel: Kernel) -> None:
    """One that closes the comm is told nothing more, and cells run as ever."""
    kernel = server_kernel
    kernel(ASK)
    kernel.send("%load_ext nbtokens")
    opened = next_told(kernel, "comm_open")
    closing = kernel.client.session.msg("comm_close", {"comm_id": opened["comm_id"], "data": {}})
    kernel.client.shell_channel.send(closing)
    ran = kernel("ask()\nfrom nbtokens.runtime import runtime\nlen(runtime().activity.watchers)")
    assert ran.value["text/plain"] == "0"
    kernel("%unload_ext nbtokens")


def test_none_without_jupyter_server(kernel: Kernel) -> None:
    """A kernel that no Jupyter Server has started opens no comm, so that nobody has to warn of it."""
    ran = kernel("from comm import get_comm_manager\n[c.target_name for c in get_comm_manager().comms.values()]")
    assert "'nbtokens'" not in ran.value["text/plain"]
