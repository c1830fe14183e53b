"""`count` and `estimate`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import count, seconds, usd
from nbtokens.before.seen import seen_of
from nbtokens.call import Usage
from nbtokens.errors import NbtokensError
from nbtokens.model_facts import facts_of
from nbtokens.order import Order
from nbtokens.questions.asking import Answer
from nbtokens.reports.report import Report, Table
from nbtokens.runtime import runtime
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    import argparse
    from decimal import Decimal

    from nbtokens.views import History

_WAIT: Final = 10.0


class Count:
    """How many tokens a text has, for a model's own encoding where that is known, else about."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the text and the model."""
        _add_text(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:  # noqa: ARG002 - a question's way
        """The count."""
        text = _text(arguments)
        tokens = _tokens(text, arguments.model)
        rows = (("tokens", count(tokens)), ("characters", count(len(text))))
        data = {"tokens": tokens, "characters": len(text), "model": arguments.model}
        return Answer(Report("Tokens", (Table("", ("what", ">count"), rows),), data))


class Estimate:
    """What a call with a text would cost and how long it would take, by the history of its model and operation."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the text, the model, how much output, how often."""
        _add_text(parser)
        parser.add_argument("--output", type=int, metavar="TOKENS", help="as long as usual if left out")
        parser.add_argument("--operation", metavar="NAME", help="whose usual length of answers holds")
        parser.add_argument("--times", type=int, default=1, metavar="N", help="how many such calls (1)")

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """Tokens, cost and time, with the range from short answers (p50) to long ones (p95)."""
        if arguments.model is None:
            raise NbtokensError("say which model: --model NAME")
        if arguments.times < 1 or (arguments.output or 0) < 0:
            raise NbtokensError("--times is 1 or more, --output 0 or more tokens")
        tokens = _tokens(_text(arguments), arguments.model)
        facts, totals = facts_of(arguments.model), history.totals
        seen = seen_of(totals, arguments.model, arguments.operation)
        provider = seen.provider or (facts.provider if facts is not None else None)
        stats = totals.stats(arguments.model, arguments.operation)
        usual, speed = stats["output_tokens"], stats["tokens_per_second"]["p50"]
        lengths = [usual["p50"], usual["p95"]] if not seen.embeds else [0, 0]
        if arguments.output is not None:
            lengths = [arguments.output] * 2
        data: list[dict[str, Any]] = []
        if lengths[0] is None:
            raise NbtokensError(f"the history has no answers of {arguments.model!r} to go by; give --output TOKENS")
        meter = runtime().meter
        meter.wait_for_prices(_WAIT)
        for length in lengths:
            usage = Usage(input_tokens=tokens, output_tokens=round(length))
            price = meter.price(Order((arguments.model,), usage, datetime.now(UTC), provider=provider)).total
            cost: Decimal | None = None if price is None else price * arguments.times
            one = seen.seconds_per_call if seen.embeds else length / speed if speed else None
            took = None if one is None else one * arguments.times
            data.append({"output_tokens": round(length), "cost_usd": cost, "seconds": took})
        rows: list[tuple[str, ...]] = [
            ("input tokens", count(tokens), count(tokens)),
            ("output tokens", *(count(one["output_tokens"]) for one in data)),
            ("cost", *(usd(one["cost_usd"]) for one in data)),
            (
                "time, one after the other",
                *(seconds(one["seconds"]) for one in data),
            ),
        ]
        window = facts.context_window if facts is not None else None
        over = window is not None and tokens > window
        notes = [f"More input than the context window of {count(window)} tokens."] if over else []
        return Answer(
            Report(
                f"Estimate of {count(arguments.times)} x {arguments.model}",
                (Table("", ("what", ">usual (p50)", ">long (p95)"), tuple(rows)), *notes),
                {"input_tokens": tokens, "times": arguments.times, "usual": data[0], "long": data[1], "too_long": over},
            )
        )


def _add_text(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", metavar="TEXT", help="the text")
    parser.add_argument("--file", type=Path, metavar="PATH", help="a file that holds it instead")
    parser.add_argument("--model", metavar="NAME", help="for this model")


def _text(arguments: argparse.Namespace) -> str:
    if (arguments.file is None) is not bool(arguments.text):
        raise NbtokensError("give a text, or --file PATH")
    if arguments.file is None:
        return " ".join(arguments.text)
    path: Path = arguments.file
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NbtokensError(f"{path} can't be read: {error}") from error


def _tokens(text: str, model: str | None) -> int:
    return Tokenizers(runtime().config.settings.fallback_encoding).count(text, model, wait=_WAIT)
