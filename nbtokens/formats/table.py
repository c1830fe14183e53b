"""A wire format as data: where it is found, and which path of a document holds which field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Format:
    """One wire format. A path names keys from the outside in, `[]` stands for every element of a list.

    Attributes:
        api: its name in the record.
        call_type: OpenTelemetry's operation name.
        path: a regular expression for the end of the URL's path.
        request_keys: the request's object holds all of these, each given as alternatives. This tells a call of a
            model from another service's request on the same path.
        fields: what is read of the response: field of `Call` -> paths. The last value that is not null wins,
            over all documents of the body.
        envelopes: keys under which a stream's events hold the response object that a plain body is.
        usage_at: paths of the object that reports the usage. The parts that a stream sends are merged.
        usage: rows of (path within the usage object, field of `Usage`). Rows of one field are summed, unless
            they are alternatives, written `a | b`: then the first that is there counts.
        usage_fields: keys of the usage object that are fields of `Call`, not counts.
        last_events: values of `type` that end a stream (where `data: [DONE]` doesn't).
        text: paths to what the model wrote, in a plain body.
        text_streamed: the same in a stream's events.
        usage_on_request: the request key without which a stream reports no usage.
        max_tokens: request keys that limit the output.
        prompt: request keys that hold what the model reads, in the order in which it reads them.
    """

    api: str
    call_type: str
    path: str
    request_keys: tuple[tuple[str, ...], ...]
    usage: tuple[tuple[str, str], ...]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    envelopes: tuple[str, ...] = ()
    usage_at: tuple[str, ...] = ("usage",)
    usage_fields: tuple[str, ...] = ("service_tier",)
    last_events: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    text_streamed: tuple[str, ...] = ()
    usage_on_request: str | None = None
    max_tokens: tuple[str, ...] = ("max_tokens",)
    prompt: tuple[str, ...] = ()


COMMON_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "response_id": ("id",),
    "model": ("model",),
    "service_tier": ("service_tier",),
}
"""The fields that most formats keep at the same place."""
