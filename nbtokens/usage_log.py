"""One line in the log for every call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import usd

if TYPE_CHECKING:
    from nbtokens.record import Record

logger: Final = logging.getLogger("nbtokens")


def log_call(record: Record) -> None:
    """Log the tokens, cost and speed of a call, or what a cache saved, at INFO on the logger `nbtokens`."""
    if record.kind == "run" or not logger.isEnabledFor(logging.INFO):
        return
    if record.kind == "cache_hit":
        logger.info(
            "Cache hit: saved=%d tokens, model=%s, saved_cost=%s",
            record.total_tokens or 0,
            record.model,
            usd(record.saved_cost_usd),
        )
        return
    speed = record.tokens_per_second
    logger.info(
        "Token usage: prompt=%d, completion=%d, total=%d, model=%s, cost=%s, throughput=%s%s",
        record.input_tokens or 0,
        record.output_tokens or 0,
        record.total_tokens or 0,
        record.model,
        usd(record.cost_usd),
        "n/a" if speed is None else f"{speed:.1f} tokens/sec",
        f", error={record.error}" if record.error else "",
    )
