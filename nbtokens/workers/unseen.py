"""Standing between a caller and a function without showing up in its tracebacks."""

from __future__ import annotations


def take_out_frame(error: BaseException) -> None:
    """Take the frame that caught an exception out of its traceback.

    To be called in an `except` clause that ends with a bare `raise`: that one adds no frame again.
    """
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next
