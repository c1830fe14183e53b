"""What a provider did not report, counted here; what it reports always wins."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.families import framing_of
from nbtokens.formats.request import Request
from nbtokens.guard import guarded
from nbtokens.image_tokens import image_tokens
from nbtokens.message_tokens import FRAMED, prompt_of

if TYPE_CHECKING:
    from nbtokens.call import Call
    from nbtokens.exchange import Exchange
    from nbtokens.formats.reader import Reader
    from nbtokens.formats.table import Format
    from nbtokens.tokenizers import Tokenizers

_FIRST_ERROR_STATUS: Final = 400
_LONGEST_WAIT: Final = 0.3
"""So long the end of a stream waits for an encoding that is still being loaded, in seconds."""


class Estimates:
    """Counts the tokens of calls that were answered without a report of them.

    Args:
        tokenizers: the encodings to count with.
    """

    def __init__(self, tokenizers: Tokenizers) -> None:
        self._tokenizers = tokenizers

    def prepare(self, exchange: Exchange, reader: Reader) -> None:
        """A request is about to be sent: if its stream will report no usage, begin to load what will count it."""
        key = reader.table.usage_on_request
        if exchange.streamed and key is not None and key.encode() not in (exchange.request_body or b""):
            self._tokenizers.start_loading(Request(exchange.request_body).text("model"))

    def completed(self, call: Call, exchange: Exchange, reader: Reader, request: Request) -> Call:
        """The call, with counts for what the provider did not report of an answer that began to come."""
        usage, table = call.usage, reader.table
        reported = usage.output_tokens is not None and usage.input_tokens is not None
        if reported and (call.complete or table.text == ()):
            return call
        if not table.countable or exchange.status is None or exchange.status >= _FIRST_ERROR_STATUS:
            return call
        with guarded:  # a body that can't be counted is a call all the same
            return self._counted(call, exchange, reader, request)
        return call

    def _counted(self, call: Call, exchange: Exchange, reader: Reader, request: Request) -> Call:
        model = call.model or call.request_model
        until = monotonic() + _LONGEST_WAIT
        written = self.output_tokens(exchange, reader, model, complete=call.complete)
        if call.error is not None and not written:  # refused, or no answer of a model at all
            return call
        usage = call.usage
        read = usage.input_tokens
        if read is None:
            # Nothing to count is not nothing read: sound, or a conversation that the provider keeps.
            read = self.input_tokens(request, reader.table, model, wait=max(until - monotonic(), 0)) or None
        if read is None and not written and usage.output_tokens is None:
            return call
        counted = msgspec.structs.replace(
            usage, input_tokens=read, output_tokens=max(written, usage.output_tokens or 0)
        )
        return msgspec.structs.replace(call, usage=counted, usage_source="estimated")

    def input_tokens(self, request: Request, table: Format, model: str | None, *, wait: float = _LONGEST_WAIT) -> int:
        """About how many tokens a model read of a request: its text, its tools, its images and the framing."""
        prompt = prompt_of(request, table, model)
        images = sum(image_tokens(image, model) for image in prompt.images)
        return self._tokenizers.count_all(prompt.texts, model, wait) + prompt.framing + images

    def output_tokens(
        self,
        exchange: Exchange,
        reader: Reader,
        model: str | None,
        *,
        complete: bool,
        wait: float = _LONGEST_WAIT,
    ) -> int:
        """About how many tokens a model wrote of what was read: text, shown reasoning, calls of tools, and the end."""
        written = self._tokenizers.count("".join(reader.written(exchange)), model, wait)
        if reader.table.call_type not in FRAMED:
            return written
        framing = framing_of(model)
        written += framing.answered_call * calls_in(exchange.body)
        if not written:
            return 0
        return written + (framing.answer if complete and written >= framing.answer_from else 0)


_CALL: Final = re.compile(
    # OpenAI's chat; only the first piece of a call has its name
    rb'"function"\s*:\s*\{\s*(?:"arguments"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*)?"name"\s*:\s*"[^"]'
    rb'|"type"\s*:\s*"tool_use"\s*,'  # Anthropic
    rb'|"functionCall"\s*:\s*\{|"toolUseId"\s*:\s*"'  # Google, Bedrock
)
_CALL_ID: Final = re.compile(rb'"call_id"\s*:\s*"([^"]+)"')  # OpenAI's responses repeat an item in several events


def calls_in(body: bytes | bytearray) -> int:
    """How many calls of tools a model wrote. In text these marks are escaped; they can't be mistaken."""
    return len(_CALL.findall(body)) + len(set(_CALL_ID.findall(body)))
