"""What the simulated model says. The same request always gets the same answer, and its tokens can be counted by hand.

A token is a word or a punctuation mark: `Hello, world!` has four.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

MODEL: Final = "simulated-model"
"""The model's name in every response, whatever the request asked for."""

_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
_WITH_LEADING_SPACE = re.compile(r"\s*(?:\w+|[^\w\s])")

_OPENING = "This answer is simulated: no model has read your words."
_SENTENCES = (
    "Its length depends on your request alone, and asking again brings the same sentences.",
    "Each word counts as one token, and so does each comma and each full stop.",
    "What you see beside it was measured: the time is real, the text is not.",
    "A real model would have something to say here about what you asked.",
    "The wire format is the provider's own, down to the last event of a stream.",
)


class BadRequestError(Exception):
    """The request can't be answered: the server says so with status 400, in the provider's own shape.

    Attributes:
        param: the field of the request that is wrong, where there is one.
        code: OpenAI's code for what is wrong with it.
    """

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says to one request.

    Attributes:
        pieces: the text token by token, each with the space before it; joined they are the text.
        input_tokens: how many tokens the request's own texts have.
        truncated: whether the request's limit ended the answer before it was complete.
    """

    pieces: list[str]
    input_tokens: int
    truncated: bool

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)

    @property
    def output_tokens(self) -> int:
        """How many tokens the answer has."""
        return len(self.pieces)


def count_tokens(text: str) -> int:
    """How many words and punctuation marks there are in `text`."""
    return len(_WORD_OR_MARK.findall(text))


def texts_in(value: object) -> list[str]:
    """Every text of a prompt, in order: of a string, of a message, of a list of either, of a message's parts.

    What isn't text (an image, a file) counts nothing.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    if isinstance(value, dict):
        return [*texts_in(value.get("content")), *texts_in(value.get("text"))]
    return []


def prompt_of(body: dict[str, object], *fields: str) -> str:
    """The prompt that `body` holds in `fields`; the definitions of tools are a part of it, as JSON."""
    texts = [text for name in fields for text in texts_in(body.get(name))]
    if body.get("tools"):
        texts.append(json.dumps(body["tools"]))
    return "\n".join(texts)


def answer(prompt: str, limit: int | None) -> Answer:
    """Answer `prompt` in at most `limit` tokens: an opening and one to three sentences that the prompt's hash picks."""
    digest = sha256(prompt.encode()).digest()
    chosen = [_SENTENCES[byte % len(_SENTENCES)] for byte in digest[1 : 2 + digest[0] % 3]]
    pieces = _WITH_LEADING_SPACE.findall(" ".join([_OPENING, *chosen]))
    truncated = limit is not None and limit < len(pieces)
    return Answer(pieces[:limit] if truncated else pieces, count_tokens(prompt), truncated)


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1 that depends on `text` alone; texts that are alike are not close to each other."""
    source = random.Random(text)  # noqa: S311  # reproducible on purpose, and nothing secret
    vector = [source.gauss() for _ in range(dimensions)]
    length = sum(x * x for x in vector) ** 0.5
    return [x / length for x in vector]
