"""The answers' shapes, a public contract: each is JSON by its field names, and a schema of the OpenAPI document.

Money is USD, as numbers in exact decimal digits; times are UTC; durations are seconds. A cost is null where there were
calls and the price of none is known: that is "unpriced", never 0.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec


class Figures(msgspec.Struct, kw_only=True):
    """Sums over some calls. `unpriced_calls` are those whose price is not known; they are in no cost."""

    operation_count: int
    failed_calls: int
    unpriced_calls: int
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_cost_usd: Decimal | None


class OperationOfModel(Figures):
    """One operation with one model. The operation is the user's label, else the kind of call."""

    operation_type: str
    model_name: str


class Totals(msgspec.Struct, kw_only=True):
    """Sums over all calls of the period."""

    total_operations: int
    failed_calls: int
    unpriced_calls: int
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_cost_usd: Decimal | None


class Day(Figures):
    """One UTC day on which there were calls."""

    usage_date: str


class DaysOfModel(msgspec.Struct, kw_only=True):
    """One model on each day of `daily_usage`; the rest of a day are other models'."""

    name: str | None
    operation_count: list[int]
    total_tokens: list[int]
    total_cost_usd: list[Decimal | None]


class Summary(msgspec.Struct):
    """By operation and model, the dearest first; and all together."""

    summary: list[OperationOfModel]
    totals: Totals


class TokenUsage(msgspec.Struct):
    """`/token-usage`."""

    message: str
    summary: Summary
    daily_usage: list[Day]


class OperationOfUser(msgspec.Struct, kw_only=True):
    """One operation of a user. Averages are null where nothing was scored under that name."""

    operation_type: str
    operation_count: int
    total_cost_usd: Decimal | None
    avg_quality_score: float | None
    avg_safety_score: float | None


class TotalsOfUser(msgspec.Struct, kw_only=True):
    """All operations of a user."""

    total_operations: int
    total_cost_usd: Decimal | None


class UserUsage(msgspec.Struct):
    """What one user's calls come to."""

    user_id: str
    summary: list[OperationOfUser]
    totals: TotalsOfUser


class UserUsageAnswer(msgspec.Struct):
    """`/token-usage/user/{user}`."""

    message: str
    user_usage: UserUsage


class OperationCost(msgspec.Struct, kw_only=True):
    """What one operation costs. The averages are over the calls that have a price."""

    total_cost: Decimal | None
    total_tokens: int
    operation_count: int
    unpriced_calls: int
    cost_per_operation: float | None
    cost_per_token: float | None


class Recommendation(msgspec.Struct, kw_only=True):
    """How money could have been saved, and the evidence: which calls, how many, how much.

    `saved_usd` is an upper bound where `at_most` is true. One call may be in several; they don't add up.
    """

    kind: str
    where: str
    calls: int
    saved_usd: Decimal
    at_most: bool
    advice: str


class LeftOut(msgspec.Struct, kw_only=True):
    """Calls in which no savings were looked for: all began before `before`, those that were looked at did not.

    There may be more than `calls` where `at_least` is true.
    """

    calls: int
    before: datetime
    looked_at: int
    at_least: bool


class CostAnalysis(msgspec.Struct, kw_only=True):
    """What was spent, by operation, and what could have been saved, the greatest saving first.

    `savings_left_out` is null where savings were looked for in all calls; else the last recommendation says so too.
    """

    total_cost_usd: Decimal | None
    total_tokens: int
    unpriced_calls: int
    cost_per_token: float | None
    operation_costs: dict[str, OperationCost]
    recommendations: list[str]
    recommendation_details: list[Recommendation]
    savings_left_out: LeftOut | None


class CostAnalysisAnswer(msgspec.Struct):
    """`/token-usage/cost-analysis`."""

    message: str
    cost_analysis: CostAnalysis


class RunMetrics(msgspec.Struct, kw_only=True):
    """The calls of one run. Averages are null where there is nothing to take them over."""

    run_id: str
    total_input_tokens: int
    total_output_tokens: int
    total_thinking_tokens: int
    total_tokens: int
    total_calls: int
    successful_calls: int
    failed_calls: int
    unpriced_calls: int
    avg_tokens_per_call: float | None
    total_duration_seconds: float
    avg_duration_seconds: float | None
    total_cost_usd: Decimal | None


class CallRow(msgspec.Struct, kw_only=True):
    """One call, by the record's own names. Null is: not known."""

    id: str
    started_at: datetime
    run_id: str | None
    user: str | None
    notebook: str | None
    cell: str | None
    operation: str | None
    call_type: str | None
    provider: str | None
    model: str | None
    status: str | None
    http_status: int | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cache_read_input_tokens: int | None
    reasoning_output_tokens: int | None
    usage_source: str | None
    duration_s: float | None
    time_to_first_chunk_s: float | None
    cost_usd: Decimal | None
    price_source: str | None


class RunMetricsDetailed(RunMetrics):
    """The same with a page of the run's calls, in the order of the history."""

    page: int
    per_page: int
    pages: int
    calls: list[CallRow]


class Named(Figures):
    """Sums for one model, user, operation, notebook or cell; null is: none."""

    name: str | None


class Budget(msgspec.Struct, kw_only=True):
    """A limit, of money or tokens or both, and how much of it is spent. `warn_at` is a share of it, 0 to 1."""

    name: str
    period: str
    limit_usd: Decimal | None
    spent_usd: Decimal | None
    limit_tokens: int | None
    spent_tokens: int
    warn_at: float


class Overview(msgspec.Struct, kw_only=True):
    """`/overview`: what the web page shows. The dearest come first, the latest call first.

    `totals_before` are those of as many days before these; `daily_models` are the dearest models.
    """

    first_day: str
    last_day: str
    totals: Totals
    totals_before: Totals
    daily_usage: list[Day]
    daily_models: list[DaysOfModel]
    users: list[Named]
    models: list[Named]
    operations: list[Named]
    notebooks: list[Named]
    cells: list[Named]
    budgets: list[Budget]
    latest: list[CallRow]


class Kept(msgspec.Struct):
    """`POST /records`: how many are new, and how many were known by their ids."""

    message: str
    accepted: int
    duplicates: int


class Health(msgspec.Struct):
    """`/healthz`."""

    status: str


class Problem(msgspec.Struct):
    """Every answer that is no success."""

    message: str


def row_fields() -> tuple[str, ...]:
    """The fields of a record that a `CallRow` has."""
    return CallRow.__struct_fields__
