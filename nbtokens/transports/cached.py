"""Whether a cache inside of an HTTP client gave a response, so that nothing was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FROM_CACHE_HEADER: Final = "x-hishel-from-cache"
"""What hishel's adapter for requests says, with `true` or `false`."""

_MARKS: Final = ("hishel_from_cache", "from_cache")
_STATUS: Final = "caching"


def is_marked(extensions: Mapping[str, Any]) -> bool:
    """Whether the extensions of a response of httpx say so. hishel marks them: 0.x, 1.x and 2.x each in its own way.

    A stored answer that the server was asked about, and found unchanged, was given by the cache too.
    """
    if not extensions:
        return False
    status = extensions.get(_STATUS)
    if isinstance(status, dict):
        return status.get("from_cache") is True
    return any(extensions.get(name) is True for name in _MARKS)
