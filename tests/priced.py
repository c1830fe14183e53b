"""A call of one dollar: its request, its answer, and the settings by which it costs that."""

from __future__ import annotations

from typing import Any, Final

REQUEST: Final[dict[str, Any]] = {
    "model": "gpt-priced",
    "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    "max_tokens": 1000,
}
ANSWER: Final = {
    "id": "1",
    "model": "gpt-priced",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "It scatters."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 1000, "total_tokens": 1100},
}
PRICES: Final = '[prices."gpt-priced"]\ninput_per_mtok = 0\noutput_per_mtok = 1000\n'
