"""`nbtokens demo`."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import nbtokens
from nbtokens.commands.demo_report import DemoReport
from nbtokens.config import load_config
from nbtokens.demo import lab, local_model, simulated_model
from nbtokens.demo.notebook_file import NotebookFile, given_notebook, quickstart
from nbtokens.errors import NbtokensError
from nbtokens.history.journal import NAME
from nbtokens.history.store import SUMMARY_NAME
from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.reports.summary import summary_report
from nbtokens.reports.text import text
from nbtokens.terminal import complain, say

if TYPE_CHECKING:
    import argparse

    from nbformat import NotebookNode

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.demo.run import Outcome
    from nbtokens.history.totals import Sums

_INSTALL = "pip install 'nbtokens[demo]'"
_WAY_OUT = f"Install what it needs ({_INSTALL}), or do without a model: nbtokens demo --simulate"


class Demo:
    """Run a notebook against a small language model on this machine, and show what its calls cost.

    Starts the model, executes notebooks/quickstart.ipynb in a kernel with the openai and anthropic clients pointed
    at the model, and prints the usage summary that the calls left in .metrics/. It needs no account and no key.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --simulate, --lab, --notebook, --json and what is handed on to JupyterLab."""
        parser.add_argument(
            "--simulate",
            action="store_true",
            help="use a small server that only speaks the wire formats, for machines that can't load the model",
        )
        parser.add_argument("--lab", action="store_true", help="open the notebook in JupyterLab instead")
        parser.add_argument("--notebook", type=Path, metavar="PATH", help="run this notebook, not the quickstart")
        add_json(parser)
        parser.add_argument(
            "lab_options", nargs="*", metavar="-- OPTION", help="after --lab: options for `jupyter lab` itself"
        )

    def run(self, arguments: argparse.Namespace) -> int:
        """Run it. The exit code is 1 if the model can't be loaded or a cell failed."""
        if arguments.lab_options and not arguments.lab:
            raise NbtokensError(f"{arguments.lab_options[0]!r} says nothing without --lab")
        if arguments.lab and arguments.json:
            raise NbtokensError("--json says nothing with --lab, which ends when you end it")
        notebook = given_notebook(arguments.notebook) if arguments.notebook else quickstart(Path.cwd())
        document = _read(notebook)  # here, and the copy too: what can't be run is told of before the model is loaded
        copy = lab.lab_copy(notebook) if arguments.lab else None
        report = DemoReport(simulated=arguments.simulate, quiet=arguments.json)
        report.starting()
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            try:
                endpoint = stack.enter_context((simulated_model if arguments.simulate else local_model).serve())
            except local_model.ModelUnavailableError as reason:
                complain(f"nbtokens demo: this machine can't run the local model: {reason}. {_WAY_OUT}")
                return 1
            report.started(endpoint, time.monotonic() - began)
            if copy is not None:
                return _open_in_lab(copy, endpoint, arguments.lab_options, report)
            return _execute(notebook, document, endpoint, report, as_json=arguments.json)


def _read(notebook: NotebookFile) -> NotebookNode:
    try:
        from nbtokens.demo import run  # noqa: PLC0415  # heavy, and installed only with the demo's extra
    except ImportError as missing:
        raise NbtokensError(f"{missing}; the demo needs more than nbtokens alone: {_INSTALL}") from missing
    return run.read(notebook)


def _open_in_lab(copy: Path, endpoint: Endpoint, options: list[str], report: DemoReport) -> int:
    report.opening(copy)
    code = lab.run_lab(copy, endpoint, options)
    report.closed(copy)
    return code


def _execute(
    notebook: NotebookFile, document: NotebookNode, endpoint: Endpoint, report: DemoReport, *, as_json: bool
) -> int:
    from nbtokens.demo import run  # noqa: PLC0415  # the same

    report.executing(notebook)
    began = time.monotonic()
    outcome = run.execute(notebook, document, endpoint, report.cell)
    report.executed(outcome, time.monotonic() - began)
    folder = notebook.path.parent
    with contextlib.chdir(folder):  # the kernel's working directory decides which history it wrote
        totals = nbtokens.history().totals
    report.summary(text(summary_report(totals, datetime.now(UTC))))
    metrics = load_config(folder).folder
    report.whereabouts(outcome, metrics)
    if as_json:
        say(_outcome(outcome, endpoint, metrics, totals.sums()))
    return 0 if outcome.ok else 1


def _outcome(outcome: Outcome, endpoint: Endpoint, metrics: Path, sums: Sums) -> str:
    """What came of it, for programs; docs/analysis.md names the keys."""
    return json_line(
        ok=outcome.ok,
        simulated=endpoint.simulated,
        model=endpoint.model,
        executed=outcome.executed,
        cells=outcome.cells,
        started=outcome.started,
        failures=[asdict(one) for one in outcome.failures],
        ended_early=outcome.ended_early,
        history=metrics / NAME,
        summary=metrics / SUMMARY_NAME,
        calls=sums.calls,
        total_tokens=sums.total_tokens,
        cost_usd=sums.cost_usd if sums.priced_calls else None,
    )
