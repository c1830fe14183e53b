"""What `doctor` shows: what is wrong, what goes unseen, and how everything stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from nbtokens.reports.report import Layout, Part, Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbtokens.escapes import Escape


@dataclass(frozen=True, slots=True)
class Health:
    """How nbtokens stands, in this process and this project.

    Attributes:
        problems: what is wrong, each in a sentence that says what to do.
        recording: whether calls are recorded in this process.
        hooked: the methods that are hooked.
        escapes: what is installed and would not be seen.
        failures: how many errors of its own nbtokens has swallowed in this process.
        tracebacks: the last of them, oldest first.
        history: path, size, whether it can be written, how many records wait.
        database: the team's: its URL, how many records it is behind, why; a URL of None where none is set.
        metrics: where OpenTelemetry's go, and why the last were not sent; `sent_to` None where nobody wants them.
        prices: which data, and how old it is.
        settings: which file, and what is wrong with it.
        encodings: tiktoken's encodings -> the file that their ranks come from; None where there is none.
        versions: of Python, nbtokens, and what matters to it.
        front_end: in what this runs.
    """

    problems: tuple[str, ...]
    recording: bool
    hooked: tuple[str, ...]
    escapes: tuple[Escape, ...]
    failures: int
    tracebacks: tuple[str, ...]
    history: Mapping[str, str | int | bool]
    database: Mapping[str, str | int | None]
    metrics: Mapping[str, str | None]
    prices: Mapping[str, str | int | None]
    settings: Mapping[str, str | None]
    encodings: Mapping[str, str | None]
    versions: Mapping[str, str]
    front_end: str


def doctor_report(health: Health) -> Report:
    """The report; its `data` has the attributes of `Health`, and `ok`."""
    parts: list[Part] = [
        Table("What is wrong", ("problem",), tuple((one,) for one in health.problems), "Nothing."),
        Table(
            "Installed, but not seen",
            ("what", "goes by", "what to do"),
            tuple(tuple(one) for one in health.escapes),
            "Nothing that nbtokens knows of.",
        ),
        Table("Hooked in this process", ("method",), tuple((one,) for one in health.hooked), _nothing_hooked(health)),
        _facts("History", health.history),
        _facts("Team's database", health.database, "none"),
        _facts("OpenTelemetry", health.metrics),
        _facts("Prices", health.prices),
        _facts("Settings", health.settings),
        _facts("Ranks for counting tokens", health.encodings, "not here: counted by the characters"),
        _facts("Versions", {**health.versions, "front end": health.front_end}),
    ]
    if health.tracebacks:
        parts.append("The last errors of its own:")
        parts.extend(Layout(tuple(one.rstrip().splitlines())) for one in health.tracebacks)
    data = {
        "ok": not health.problems,
        **asdict(health),
        "escapes": [one._asdict() for one in health.escapes],
    }
    return Report("How nbtokens stands", tuple(parts), data)


def _facts(heading: str, facts: Mapping[str, str | int | bool | None], missing: str = "-") -> Table:
    rows = tuple(
        (name.replace("_bytes", ", bytes").replace("_", " "), _said(value, missing)) for name, value in facts.items()
    )
    return Table(heading, ("what", "state"), rows)


def _said(value: str | int | bool | None, missing: str) -> str:  # noqa: FBT001 - a fact, whatever it is
    if value is None:
        return missing
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else value


def _nothing_hooked(health: Health) -> str:
    if health.recording:
        return "None of the clients is loaded yet; each is hooked when it is."
    return "Nothing: calls are not recorded in this process."
