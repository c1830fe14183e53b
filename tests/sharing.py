"""How several processes share the tests (`pytest -n auto`): what is dear to start is started by one of them."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling

_OF_THE_KERNEL: Final = (
    "cell_options", "cells_by_cost", "completion", "footer", "kernel", "live", "plotting", "status_bar",
)  # fmt: skip
_TOGETHER: Final = {
    "tests/browser/test_panel_and_status.py": "a Jupyter server",
    "tests/browser/test_real_model.py": "the real model",  # two at once would wait for each other
    "tests/browser/": "browsers",
    "tests/checks/": "checks",  # their caches; and they take long, so that they must not come last
    "tests/demo/test_demo_command.py::test_real_demo": "the real model",
    "tests/demo/test_demo_command.py": "demos",
    "tests/demo/test_local_model.py": "the real model",
    "tests/labextension/": "builds",
    "tests/team/": "PostgreSQL",
    "tests/telemetry/": "a collector",
    **{f"tests/notebook/test_{name}.py": "a kernel" for name in _OF_THE_KERNEL},
    "tests/transports/test_frameworks.py": "what SDKs leave open",
}
"""How the names of tests begin that one process runs, the first that fits -> what they share."""


class Sharing(LoadScopeScheduling):  # type: ignore[misc] - it has no types
    """Tests that are together go to one process, largest groups first; the others to whoever has time."""

    def _split_scope(self, nodeid: str) -> str:
        return next((shared for begin, shared in _TOGETHER.items() if nodeid.startswith(begin)), nodeid)
