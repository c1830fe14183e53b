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
        path: a regular expression for the end of the URL's path; a group `model` in it is the requested model.
        method: the HTTP method. What is got (GET) was asked for before: it is a call only if it reports its usage
            and is not recorded yet.
        providers: where the path means this; anywhere, if there are none.
        request_keys: the request's object holds all of these, each given as alternatives. This tells a call of a
            model from another service's request on the same path; it is asked where the host tells nothing.
        shape_always: whether it is asked at known hosts as well.
        call_types: request keys that make it another type of call.
        call_types_by_model: the same for what the name of the asked model holds, which says more.
        request_models: request keys that hold the requested model.
        fields: what is read of the response: field of `Call` -> paths. The last value that is not null wins,
            over all documents of the body.
        envelopes: keys under which a stream's events hold the response object that a plain body is.
        errors: paths of what went wrong, besides `error`.
        usage_at: paths of the object that reports the usage. The parts that a stream sends are merged.
        usage_summed: the parts are of several calls behind the one, and are added up.
        usage_else: paths of objects to look at, one after the other, where there is none of those.
        usage_scalars: where there is none at all: paths of numbers that stand for themselves, known by their last key.
        usage_headers: where the body has none: response header -> key.
        usage: rows of (path within the usage object, field of `Usage`). Rows of one field are summed, unless
            they are alternatives, written `a | b`: then the first that is there counts. `[key=value]` goes into
            the elements of a list that are so.
        rest: the field of `Usage` that counts what `total_tokens` has beside input and output.
        omitted_is_zero: what is left out of a usage object is 0 (protocol buffers do that).
        opaque: the body may be anything (audio, plain text), and is only read where it is JSON.
        countable: whether what is not reported can be counted here: text is, images and sound are not.
        usage_fields: keys of the usage object that are fields of `Call`, not counts.
        last_events: values of `type` that end a stream (where `data: [DONE]` doesn't).
        text: paths to what the model wrote, in a plain body.
        text_streamed: the same in a stream's events.
        usage_on_request: the request key without which a stream reports no usage.
        max_tokens: request keys that limit the output; a dot goes inside.
        prompt: request keys that hold what the model reads, in the order in which it reads them.
    """

    api: str
    call_type: str
    path: str
    usage: tuple[tuple[str, str], ...]
    method: str = "POST"
    providers: tuple[str, ...] = ()
    request_keys: tuple[tuple[str, ...], ...] = ()
    shape_always: bool = False
    call_types: tuple[tuple[str, str], ...] = ()
    call_types_by_model: tuple[tuple[str, str], ...] = ()
    request_models: tuple[str, ...] = ("model",)
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    envelopes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    usage_at: tuple[str, ...] = ("usage",)
    usage_summed: bool = False
    usage_else: tuple[str, ...] = ()
    usage_scalars: tuple[str, ...] = ()
    usage_headers: tuple[tuple[str, str], ...] = ()
    rest: str | None = None
    omitted_is_zero: bool = False
    opaque: bool = False
    countable: bool = True
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

PENDING: Final = frozenset(
    {"queued", "in_progress", "starting", "processing", "requires_action", "cancelling", "CREATED", "IN_PROGRESS"}
)
"""Values of `status` of an answer that is still being made: it comes with another request."""
