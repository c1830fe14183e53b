"""A history with all that questions look for: slow days, outliers, failures, waste, sums of old rows."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from shipments import NOON, call

from nbtokens.history.sums import Key, Measures, Sums, rollup_fields

if TYPE_CHECKING:
    from nbtokens.record import Record

_MODELS: Final = ("gpt-5", "gpt-5", "gpt-5-mini", "claude-sonnet-4-5", None)
_USAGE: Final[tuple[dict[str, Any] | None, ...]] = (
    None,
    {},
    {"prompt_tokens": 5, "prompt_tokens_details": {"image_tokens": 85}},
    {"input_tokens_details": {"image_tokens": 0}, "prompt_tokens_details": {"image_tokens": 400}, "images": 2},
    {"pages_processed": 0, "usage_info": {"pages_processed": 3, "page_count": 9}, "billed_units": {"images": 4}},
    {"pages": True, "page_count": 2, "images": "3", "image_count": 1.0, "num_images": 10**12},
    {"pages": [1], "billed_units": [{"pages": 1}], "usage_info": "pages", "images": -1, "promptTokensDetails": {}},
    {"promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 9}, {"modality": "IMAGE", "tokenCount": 258},
        {"modality": "IMAGE", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": None}, "IMAGE", 7, None,
    ]},
)  # fmt: skip


def wasteful_history(count: int = 2000, seed: int = 7) -> list[Record]:
    """So many calls within two days, and the sums of some older ones."""
    chance = random.Random(seed)
    return [*(_call(chance, number, count) for number in range(count)), *_rollups()]


def _call(chance: random.Random, number: int, count: int) -> Record:
    model = chance.choice(_MODELS)
    tokens = chance.choice([None, 0, 30, *range(20, 900, 50)])
    ceiling = chance.choice([None, 256, 512, 1024])
    if ceiling is not None and tokens is not None:
        tokens = min(tokens, ceiling)
    seconds = 0.3 + (tokens or 0) * (0.02 if model == "gpt-5" else 0.005) * (1 + number % 350 / 300)
    seconds *= chance.uniform(0.9, 1.1) * (9 if number % 90 == 89 else 1)
    status = chance.choice(["ok"] * 8 + ["error"])
    failed: dict[str, Any] = {
        "http_status": chance.choice([429, 500]),
        "error": chance.choice(["HTTP 429", "HTTP 500", None]),
        "retry_after_s": chance.choice([None, 1.5, 20.0]),
    }
    prefix = chance.choice([None, "p", "q"])
    return call(
        number,
        **(failed if status == "error" else {}),
        started_at=NOON + timedelta(seconds=number * 3 if number < count // 2 else number * 240),
        status=status,
        model=model,
        request_model=chance.choice(["gpt-5", None]),
        operation=chance.choice([None, "ask", "ask", "ask", "ask", "sum_up"]),
        call_type=chance.choice(["chat"] * 6 + ["embeddings"]),
        notebook=chance.choice([None, "a.ipynb"]),
        cell=chance.choice([None, "c1", "c2"]),
        session=chance.choice(["s1", "s2"]),
        run_id=chance.choice([None, "r0", "r1", "r2"]),
        execution_count=chance.choice([None, 1, 2]),
        finish_reason=chance.choice(["stop", "stop", "stop", "length", None]),
        stream=chance.choice([None, *[False] * 3, True]),
        complete=chance.choice([True, True, None, False]),
        service_tier=chance.choice([None, *["default"] * 3, "batch"]),
        max_tokens=ceiling,
        input_tokens=chance.choice([None, 50, 900, 5000]),
        output_tokens=tokens,
        total_tokens=chance.choice([None, 60, 6000, 100_000 if number % 90 == 89 else 70]),
        cache_read_input_tokens=chance.choice([None, None, 40]) if prefix == "p" else None,
        reasoning_output_tokens=chance.choice([None, 0, 5]),
        duration_s=None if number % 50 == 49 else seconds,
        retry_count=chance.choice([None, 0, 1]),
        request_hash=chance.choice([None, *map(str, range(2000))]),
        prefix_hash=prefix,
        cost_usd=chance.choice([None, Decimal(0), *[Decimal("0.25")] * 6, Decimal("1.125")]),
        usage=chance.choice(_USAGE),
    )


def _rollups() -> list[Record]:
    found = []
    for number, (model, status) in enumerate((("gpt-5", "ok"), ("gpt-5", "error"), ("gemma3:270m", "ok"))):
        at = NOON - timedelta(days=30 + number)
        sums, measures = Sums(), Measures()
        for place in range(30):
            one = call(place, started_at=at, model=model, status=status)
            sums.add(one)
            if status == "ok":
                measures.add(one)
        key = Key(at.date().isoformat(), "openai", model, "ask", "chat", "a.ipynb", "ada", status)
        nothing = dict.fromkeys(("usage", "tags"))
        fields = {**nothing, **rollup_fields(key, sums, measures), "kind": "rollup", "started_at": at}
        found.append(call(number, **fields))
    return found
