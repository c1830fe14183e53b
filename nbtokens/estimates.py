"""What a provider did not report, counted here; what it reports always wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.formats.request import Request

if TYPE_CHECKING:
    from nbtokens.call import Call, Usage
    from nbtokens.exchange import Exchange
    from nbtokens.formats.reader import Reader
    from nbtokens.tokenizers import Tokenizers

_MESSAGE_TOKENS: Final = 3
_FIRST_ERROR_STATUS: Final = 400


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
        answered = exchange.status is not None and exchange.status < _FIRST_ERROR_STATUS
        if not reader.table.countable:
            return call
        usage = call.usage
        cut_off = not call.complete and reader.table.text != ()
        if not answered or (usage.output_tokens is not None and usage.input_tokens is not None and not cut_off):
            return call
        model = call.model or call.request_model
        written = self._tokenizers.count("".join(reader.written(exchange)), model)
        if call.error is not None and not written:  # refused, or no answer of a model at all
            return call
        read = usage.input_tokens
        if read is None:
            texts = list(request.prompt_texts(reader.table))
            read = self._tokenizers.count("\n".join(texts), model) + _MESSAGE_TOKENS * bool(texts)
        counted: Usage = msgspec.structs.replace(
            usage, input_tokens=read, output_tokens=max(written, usage.output_tokens or 0)
        )
        return msgspec.structs.replace(call, usage=counted, usage_source="estimated")
