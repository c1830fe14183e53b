"""`nbtokens serve`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.config import load_config
from nbtokens.errors import NbtokensError
from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.terminal import complain, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from nbtokens.server.handling import Caller

_INSTALL: Final = "pip install 'nbtokens[server]'"
_TOKEN: Final = "NBTOKENS_TOKEN"  # noqa: S105 - the variable's name
_PORT: Final = 8899


class Serve:
    """Serve the history over HTTP: a web page and the REST interface, on this machine only, behind a token.

    The token is made anew at each start and stands in the URL that is printed; NBTOKENS_TOKEN sets one.
    Whoever has it sees everybody's calls; people of --users see their own. Ctrl-C ends it.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --port, --host, --users and --json."""
        parser.add_argument("--port", type=int, default=_PORT, help=f"0 lets the system choose ({_PORT})")
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument("--users", type=Path, metavar="PATH", help="a TOML file with people's tokens")
        add_json(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Serve until Ctrl-C."""
        try:
            from nbtokens.server import alone  # noqa: PLC0415 - tornado
        except ImportError as missing:
            raise NbtokensError(f"{missing}; serving needs more than nbtokens alone: {_INSTALL}") from missing
        token = os.environ.get(_TOKEN) or alone.new_token()
        callers = alone.admitted(token, arguments.users)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(arguments, token, callers))
        return 0


async def _serve(arguments: argparse.Namespace, token: str, callers: Mapping[str, Caller]) -> None:
    from nbtokens.server import alone  # noqa: PLC0415 - tornado
    from nbtokens.server.answers import answers_of  # noqa: PLC0415 - with it

    host, config = arguments.host, load_config()
    answers = answers_of(config)
    server, port = alone.listen(alone.application(answers, callers), host, arguments.port)
    if not _is_loopback(host):
        complain(f"nbtokens: {host} can be reached from other machines, and nothing is encrypted: use a TLS proxy.")
    shown = f"[{host}]" if ":" in host else host
    base, where = f"http://{shown}:{port}{alone.PREFIX}", config.database_shown or config.folder
    if arguments.json:
        say(json_line(url=base, token=token, history=where))
    else:
        what = "history" if config.database is None else "team's history"
        say(f"The {what} in {where} is served at:")
        say(f"  {base}/?token={token}")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # on Windows, where Ctrl-C raises KeyboardInterrupt
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, ended.set)
    try:
        await ended.wait()
    finally:
        server.stop()
        await server.close_all_connections()
        answers.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
