"""What all tests share: a ledger of their own, recording that begins afresh, and clients that are left as they were."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiohttp
import botocore.httpsession
import httpx
import httpx2
import pytest
import requests
import urllib3
from clients import HTTP, SDKS, STREAMING_SDKS, Http, Sdk
from hypothesis import settings
from ledgers import Ledger, Script, let_the_writer_finish
from servers import PATIENCE, ScriptedServer, scripted

import nbtokens
from nbtokens import context
from nbtokens.demo import simulated_model
from nbtokens.guard import guarded
from nbtokens.runtime import runtime
from nbtokens.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.guard import Guard

settings.register_profile("no timing", deadline=None)
settings.load_profile("no timing")

_CLIENTS: tuple[type, ...] = (
    httpx.Client,
    httpx.AsyncClient,
    httpx2.Client,
    httpx2.AsyncClient,
    requests.Session,
    aiohttp.ClientSession,
    botocore.httpsession.URLLib3Session,
    urllib3.PoolManager,
    urllib3.HTTPConnectionPool,
)
_OF_THE_PERSON: Final = (
    "ANTHROPIC_", "AWS_", "AZURE_", "COHERE_", "GEMINI_", "GOOGLE_", "GROQ_", "HF_", "MISTRAL_", "OLLAMA_", "OPENAI_",
    "IPYTHON", "JPY_", "JUPYTER", "MPL", "OTEL_", "PAPERMILL_", "PG", "TIKTOKEN_", "XDG_",
    "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE",
)  # fmt: skip
"""How the names of variables begin by which somebody has set up the machine for work of his own."""
_MOST_PROCESSES: Final = 8
_FEW: Final = 50
"""As many modules may come without being told of."""
_SETTINGS_OUTSIDE = (
    "NBTOKENS_DATABASE",
    "NBTOKENS_DIR",
    "NBTOKENS_RUN_ID",
    "PAPERMILL_RUN_ID",
    "JUPYTERHUB_USER",
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
)


class _Settled:
    """How many modules the garbage collector has been told to leave alone."""

    modules: ClassVar[int] = 0


def pytest_configure(config: pytest.Config) -> None:
    """Give this process, and those that tests start, a home folder of its own, and no settings of somebody else's."""
    home = tempfile.mkdtemp(prefix="nbtokens-home-")
    remove = partial(shutil.rmtree, home, ignore_errors=True)
    if hasattr(config, "workerinput"):  # one of xdist's processes, which end without their `atexit`
        config.add_cleanup(remove)
    else:
        atexit.register(remove)  # after all that IPython does at the end
    browsers = Path(os.environ.get("HOME", "/"), ".cache", "ms-playwright")
    if browsers.is_dir():  # that playwright has installed
        os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(browsers))
    for name in [name for name in os.environ if name.upper().startswith(_OF_THE_PERSON)]:
        del os.environ[name]
    os.environ["HOME"] = home
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what runs in the background of a shell is deaf to Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist has no types
    """With `-n`: who runs which tests."""
    from sharing import Sharing  # noqa: PLC0415 - xdist may be missing

    return Sharing(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one process more than there are processors, for many tests wait for processes of their own."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors + 1, _MOST_PROCESSES)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Modules stay for good; the tests that collect garbage need not look through all that is in them each time."""
    if len(sys.modules) > _Settled.modules + _FEW:
        _Settled.modules = len(sys.modules)
        gc.collect()
        gc.freeze()


def pytest_unconfigure() -> None:
    """At the interpreter's exit modules are let go, else some of them (DuckDB's) take what they made for leaked."""
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="session")
def summaries_at_once() -> None:
    """The summary is written soon after each call, so that no test waits for the one of the test before."""
    module: Any = sys.modules[Writer.__module__]
    module._SUMMARY_EVERY = 0.01


@pytest.fixture
def faults_expected() -> Guard:
    """Asked for by a test that makes nbtokens fail inside: the guard, whose failures then don't fail the test."""
    return guarded


@pytest.fixture(autouse=True)
def clients_left_as_they_were(request: pytest.FixtureRequest) -> Iterator[None]:
    """Switch recording off after each test; no client class may stay patched, and no fault may have been swallowed."""
    before = {client: dict(vars(client)) for client in _CLIENTS}
    failures = guarded.failures
    yield
    nbtokens.disable()
    let_the_writer_finish()
    patched = []
    for client, attributes in before.items():
        for name in [name for name, value in attributes.items() if vars(client)[name] is not value]:
            patched.append(f"{client.__module__}.{client.__name__}.{name}")
            setattr(client, name, attributes[name])
    assert not patched, f"left patched: {patched}"
    if "faults_expected" not in request.fixturenames:
        assert guarded.failures == failures, guarded.last_tracebacks[-1]
    guarded.failures = failures  # what was expected is no trouble for the next test, which may ask the doctor


@pytest.fixture(autouse=True)
def ledger(
    clients_left_as_they_were: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    """A project of the test's own as the working directory, with its ledger, and a recording that begins afresh.

    The place is not named by NBTOKENS_DIR, which the processes that a test starts elsewhere would inherit.
    """
    project = tmp_path_factory.mktemp("project")
    folder = project / ".metrics"
    folder.mkdir()
    for name in _SETTINGS_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(project)
    _begin_afresh()
    return Ledger(folder)


def _begin_afresh() -> None:
    """There is one runtime in a process; make it what it is at the start of one."""
    context.leave_cell()
    context.set_run_id(None)
    context.read_environment()
    now = runtime()
    now.subscribers.clear()
    now.activity.watchers.clear()
    now.budgets.remove()
    now.notices.clear()
    now._told.clear()
    now.set_up(anew=True)
    now.meter.wait_for_prices(PATIENCE)
    now.session.recent.clear()
    now.session.reset(datetime.now(UTC))
    now.session.reset_at = None


@pytest.fixture
def recording(ledger: Ledger) -> Ledger:
    """Recording is on; the ledger that it writes."""
    nbtokens.enable()
    return ledger


@pytest.fixture
def script(ledger: Ledger) -> Script:
    """Runs scripts that write the test's ledger."""
    return Script(ledger.folder.parent)


@pytest.fixture(scope="session")
def simulated() -> Iterator[Endpoint]:
    """The simulated model, which answers at once."""
    with simulated_model.serve(speed=None) as endpoint:
        yield endpoint


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that answers as the test says."""
    with scripted() as running:
        yield running


@pytest.fixture(params=HTTP, ids=str)
def http(request: pytest.FixtureRequest) -> Http:
    """Httpx and httpx2, sync and async."""
    kind: Http = request.param
    return kind


@pytest.fixture(params=SDKS, ids=str)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """Every API of the SDKs, sync and async."""
    kind: Sdk = request.param
    return kind


@pytest.fixture(params=STREAMING_SDKS, ids=str)
def streaming_sdk(request: pytest.FixtureRequest) -> Sdk:
    """Every API of the SDKs that can stream, sync and async."""
    kind: Sdk = request.param
    return kind
