"""Where a demo's model answers, and how a kernel is told about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

MODEL_VARIABLE: Final = "NBTOKENS_DEMO_MODEL"
"""The environment variable in which a notebook finds the name of the model to ask for."""

_NO_KEY = "not-needed-on-this-machine"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model server on this machine, ready to answer.

    Attributes:
        base_url: scheme, host and port, without a path: `http://127.0.0.1:41845`.
        model: the name to ask for, which every response carries too.
        simulated: True where no model computes the answers.
    """

    base_url: str
    model: str
    simulated: bool

    def environment(self) -> dict[str, str]:
        """The variables that send the unchanged `openai` and `anthropic` clients of a new process here.

        They go on top of the process's own environment. The key is a dummy: the clients insist on one. Loopback
        addresses are kept away from a proxy that the machine may have configured.
        """
        past_proxies = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"]))
        return {
            "OPENAI_BASE_URL": f"{self.base_url}/v1",
            "OPENAI_API_KEY": _NO_KEY,
            "ANTHROPIC_BASE_URL": self.base_url,
            "ANTHROPIC_API_KEY": _NO_KEY,
            MODEL_VARIABLE: self.model,
            "NO_PROXY": past_proxies,
            "no_proxy": past_proxies,
        }
