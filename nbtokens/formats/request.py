"""What a request tells: the model asked for, its limits, and fingerprints of what was sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.formats.json_stream import UNREADABLE, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.formats.table import Format

_as_keys: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_as_text: Final = msgspec.json.Decoder(str)
_as_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FORM_MODEL: Final = re.compile(rb'\bname="model"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]{1,200})')


class Request:
    """The JSON object of a request, read key by key: what nobody asks for is not built. Of a form, only its model.

    Attributes:
        readable: whether the request could be seen: it was JSON, or a form. A stream of the user's own can't be.
    """

    __slots__ = ("_keys", "readable")

    def __init__(self, body: bytes | None) -> None:
        self._keys: dict[str, msgspec.Raw] = {}
        self.readable = bool(body)
        if body:
            try:
                self._keys = _as_keys.decode(body)
            except msgspec.ValidationError:  # JSON, but no object
                return
            except UNREADABLE:
                self._keys = _of_form(body)
                self.readable = bool(self._keys)

    def has_shape(self, wanted: Format) -> bool:
        """Whether it holds the keys by which a call of this format is known."""
        present = self._keys.keys()
        return all(not present.isdisjoint(alternatives) for alternatives in wanted.request_keys)

    def get(self, key: str) -> Any:  # noqa: ANN401 - requests hold anything
        """The value of a key, or None."""
        raw = self._keys.get(key)
        if raw is None:
            return None
        try:
            return decode(raw)
        except UNREADABLE:
            return None

    def text(self, key: str) -> str | None:
        """The value of a key if it is text that is not empty."""
        raw = self._keys.get(key)
        if raw is None:
            return None
        try:
            return _as_text.decode(raw) or None
        except UNREADABLE:
            return None

    def says_true(self, key: str) -> bool:
        """Whether the value of a key is true."""
        raw = self._keys.get(key)
        return raw is not None and bytes(raw) == b"true"

    def number(self, keys: tuple[str, ...]) -> int | None:
        """The first of these keys that holds a whole number. A dot goes inside."""
        for key in keys:
            name, _, inside = key.partition(".")
            if name in self._keys:
                value = self.get(name)
                if inside:
                    value = value.get(inside) if type(value) is dict else None
                if type(value) is int:
                    return value
        return None

    def holds(self, key: str) -> bool:
        """Whether the object has this key."""
        return key in self._keys

    def prefix(self, wanted: Format) -> list[msgspec.Raw]:
        """The JSON text of the leading block: all keys of the prompt, but of the last one only its first element."""
        keys = self._keys
        parts = [keys[key] for key in wanted.prompt if key in keys]
        if parts and wanted.prompt[-1] in keys:
            parts[-1] = _first(parts[-1])
        return parts

    def prompt_texts(self, wanted: Format) -> Iterator[str]:
        """Every text of the prompt, in order; of anything that is not text (images, audio) nothing."""
        for key in wanted.prompt:
            yield from texts_of(self.get(key))


def _of_form(body: bytes) -> dict[str, msgspec.Raw]:
    """A form with a file (multipart/form-data, RFC 7578) has its fields as parts of their own."""
    found = _FORM_MODEL.search(body) if body.startswith(b"--") else None
    return {} if found is None else {"model": msgspec.Raw(msgspec.json.encode(found[1].decode("utf-8", "replace")))}


def _first(value: msgspec.Raw) -> msgspec.Raw:
    if memoryview(value)[0] != ord("["):
        return value
    try:
        elements = _as_list.decode(value)
    except UNREADABLE:
        elements = []
    return elements[0] if elements else msgspec.Raw()


_NOT_PROSE: Final = frozenset({"type", "url", "data", "image_url", "file_id", "id", "media_type", "input_audio"})


def texts_of(value: Any) -> Iterator[str]:  # noqa: ANN401 - requests hold anything
    """The strings inside of a JSON value, without those that are references or encoded media."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from texts_of(element)
    elif isinstance(value, dict):
        for key, element in value.items():
            if key not in _NOT_PROSE:
                yield from texts_of(element)
