"""The endpoints, as a table: what each path answers, and with what. Nothing here knows a web framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from nbtokens.server import asking, posting, shapes
from nbtokens.server.asking import RefusedError, name_of, page_of, period_of
from nbtokens.server.prometheus import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.server.asking import Asked

T = TypeVar("T")

JSON: Final = "application/json"
_encoder: Final = msgspec.json.Encoder(decimal_format="number")

Endpoint: TypeAlias = "Callable[[Asked], msgspec.Struct | str]"


class Parameter(NamedTuple):
    """A parameter of the query: its name, JSON schema, and what it means."""

    name: str
    schema: dict[str, Any]
    about: str


class Route(NamedTuple):
    """One endpoint.

    Attributes:
        path: below `/nbtokens`; one name may stand in it, in braces.
        method: GET or POST.
        answer: what answers it.
        shape: of the answer; None: text.
        about: what it answers, in a sentence.
        parameters: those of the query.
        refusals: the statuses it may refuse with, besides 401 and 403.
        is_open: whether it is answered without authentication, and at once: nothing is read for it.
    """

    path: str
    method: str
    answer: Endpoint
    shape: type[msgspec.Struct] | None
    about: str
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()
    is_open: bool = False


def encoded(answer: msgspec.Struct | str) -> tuple[bytes, str]:
    """An answer's bytes and content type; money in exact decimal digits."""
    if isinstance(answer, str):
        return answer.encode(), CONTENT_TYPE
    return _encoder.encode(answer), JSON


def token_usage(asked: Asked) -> shapes.TokenUsage:
    """Sums by operation and model, and by day."""
    return asked.data.token_usage(period_of(asked), asked.only)


def user_usage(asked: Asked) -> shapes.UserUsageAnswer:
    """One user's sums and average scores."""
    user = name_of(asked)
    if asked.only not in (None, user):
        raise RefusedError(403, "You may see your own usage only.")
    period = period_of(asked)
    usage = asked.data.user_usage(user, period)
    return shapes.UserUsageAnswer(f"Token usage of {user} from {period.first} to {period.last} (UTC)", usage)


def cost_analysis(asked: Asked) -> shapes.CostAnalysisAnswer:
    """What was spent, and what could have been saved."""
    period = period_of(asked)
    analysis = asked.data.cost_analysis(period, asked.only)
    return shapes.CostAnalysisAnswer(f"Cost from {period.first} to {period.last} (UTC)", analysis)


def run_metrics(asked: Asked) -> shapes.RunMetrics:
    """A run's sums."""
    run = name_of(asked)
    return _known(asked.data.run_metrics(run, asked.only), run)


def run_calls(asked: Asked) -> shapes.RunMetricsDetailed:
    """A run's sums and calls."""
    run, page = name_of(asked), page_of(asked)
    return _known(asked.data.run_calls(run, asked.only, page), run)


def overview(asked: Asked) -> shapes.Overview:
    """What the web page shows."""
    return asked.data.overview(period_of(asked), asked.only)


def post_records(asked: Asked) -> shapes.Kept:
    """Keep what was posted."""
    batch = posting.read_batch(asked.body, asked.content_type)
    if asked.only is not None and any(one.user not in (None, asked.only) for one in batch):
        raise RefusedError(403, "You may record your own calls only: leave user out.")
    ids = {one.id for one in batch}
    records = [posting.to_record(one, asked.only, asked.data.price) for one in batch]
    new = asked.data.keep(records)
    return shapes.Kept(f"{new:,} of {len(ids):,} calls are new", new, len(batch) - new)


def metrics(asked: Asked) -> str:
    """Sums over all time, for Prometheus."""
    return exposition(asked.data.gauges(asked.only))


def health(asked: Asked) -> shapes.Health:  # noqa: ARG001 - an endpoint's way
    """That the server answers."""
    return shapes.Health("ok")


def _known(found: T | None, run: str) -> T:
    if found is None:
        raise RefusedError(404, f"There is no run {run!r}.")
    return found


def _whole(usual: int, most: int) -> dict[str, Any]:
    return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": most}, _LEFT_OUT], "default": usual}


_LEFT_OUT: Final = {"type": "string", "maxLength": 0}
_DAY: Final = {"anyOf": [{"type": "string", "format": "date"}, _LEFT_OUT]}
_PERIOD: Final = (
    Parameter("days", _whole(asking.USUAL_DAYS, asking.MOST_DAYS), "So many days, the end included."),
    Parameter("start_date", _DAY, "The first day, UTC; takes the place of days."),
    Parameter("end_date", _DAY, "The last day, UTC; today if left out."),
)
_PAGE: Final = (
    Parameter("page", _whole(1, asking.MOST_PAGES), "Which page, counted from 1."),
    Parameter("per_page", _whole(asking.USUAL_PER_PAGE, asking.MOST_PER_PAGE), "How many calls a page has."),
)

ROUTES: Final = (
    Route(
        "/token-usage", "GET", token_usage, shapes.TokenUsage, "By operation and model, and by day.", _PERIOD, (400,)
    ),
    Route(
        "/token-usage/user/{user}",
        "GET",
        user_usage,
        shapes.UserUsageAnswer,
        "One user's calls and scores, by operation.",
        _PERIOD,
        (400,),
    ),
    Route(
        "/token-usage/cost-analysis",
        "GET",
        cost_analysis,
        shapes.CostAnalysisAnswer,
        "What was spent on what, and what could have been saved.",
        _PERIOD,
        (400,),
    ),
    Route("/runs/{run_id}/token-metrics", "GET", run_metrics, shapes.RunMetrics, "A run's sums.", (), (400, 404)),
    Route(
        "/runs/{run_id}/token-metrics/detailed",
        "GET",
        run_calls,
        shapes.RunMetricsDetailed,
        "A run's sums, and its calls in pages.",
        _PAGE,
        (400, 404),
    ),
    Route("/overview", "GET", overview, shapes.Overview, "What the web page shows.", _PERIOD, (400,)),
    Route(
        "/records",
        "POST",
        post_records,
        shapes.Kept,
        "Record calls that another program has made. Sending a batch again changes nothing.",
        (),
        (400, 413, 415, 422),
    ),
    Route("/metrics", "GET", metrics, None, "Sums over all time, in Prometheus' text format."),
    Route("/healthz", "GET", health, shapes.Health, "That the server answers.", is_open=True),
)
