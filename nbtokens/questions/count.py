"""`count` and `estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count
from nbtokens.errors import NbtokensError
from nbtokens.questions.asking import Answer
from nbtokens.reports.report import Report, Table
from nbtokens.runtime import runtime
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    import argparse

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
    """What a call with a text would cost and how long it would take, as `nbtokens.estimate` says it of a column."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the text, the model, how much output, how often."""
        _add_text(parser)
        parser.add_argument(
            "--output", metavar="TOKENS", help="of an answer, as 200 or 100-400; as in the history if left out"
        )
        parser.add_argument("--operation", metavar="NAME", help="whose usual length of answers holds")
        parser.add_argument("--times", type=int, default=1, metavar="N", help="how many such calls (1)")

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:  # noqa: ARG002 - the runtime's own
        """Tokens, cost and time, with the range from short answers to long ones."""
        from nbtokens.before.estimate import estimate, output_of  # noqa: PLC0415 - numpy, only where it is asked for

        if arguments.model is None:
            raise NbtokensError("say which model: --model NAME")
        if arguments.times < 1:
            raise NbtokensError("--times is 1 or more")
        output = output_of(arguments.output)
        text, operation = _text(arguments), arguments.operation
        return Answer(estimate([text], arguments.model, output, operation=operation, times=arguments.times).report())


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
