"""What was recorded, over HTTP: a REST interface and a web page, in the Jupyter server or standing alone."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell the Jupyter server what to load."""
    return [{"module": "nbtokens.server"}]


def _load_jupyter_server_extension(server: Any) -> None:  # noqa: ANN401 - a ServerApp, which is not imported here
    """Put the endpoints into a running Jupyter server."""
    from nbtokens.server.jupyter import set_up  # noqa: PLC0415 - only where Jupyter Server is

    set_up(server)
