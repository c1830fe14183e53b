"""Pages and images, read from the providers' usage objects and added up by the database: what `media_of` counts."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Text, case, cast, func, or_, select, type_coerce

from nbtokens.analysis.media import COUNT, DETAILS, IMAGES, INSIDE, MODALITIES, PAGES, Media
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    JSONText = ColumnElement[Any]

_row: Final = token_usage.c
_USAGE: Final[JSONText] = type_coerce(_row.usage, Text)


def media(connection: Connection, condition: ColumnElement[bool]) -> dict[str, Media]:
    """`pages` and `images` -> what the calls that a condition selects, and that succeeded, read of them."""
    image_tokens = [_count_of(_within(name, "image_tokens")) for name in DETAILS]
    read = (_number(PAGES).label("pages"), _number(IMAGES).label("images"))
    keys = (*read, func.coalesce(*image_tokens, _of_modalities(connection)).label("of_images"))
    alike = (
        select(*keys, func.count().label("calls"), func.sum(_row.total_tokens).label("tokens"))
        .where(condition, _row.kind == "call", _row.status == "ok", _row.usage.is_not(None))
        .group_by(*keys)  # so that each is looked for once in a row
        .subquery()
        .c
    )
    of_pages, of_images = alike.pages.is_not(None), or_(alike.images.is_not(None), alike.of_images.is_not(None))
    sums = (
        func.sum(case((of_pages, alike.calls))),
        func.sum(alike.pages * alike.calls),
        func.sum(case((of_pages, alike.tokens))),
        func.sum(case((of_images, alike.calls))),
        func.sum(alike.images * alike.calls),
        func.sum(alike.of_images * alike.calls),
    )
    found = [int(value or 0) for value in connection.execute(select(*sums)).one()]
    return {"pages": Media(*found[:3]), "images": Media(*found[3:])}


def _number(names: Sequence[str]) -> ColumnElement[int | None]:
    """The first count under one of these names, in the usage object or in a part of it."""
    return func.coalesce(
        *(_count_of(_within(*part, name)) for part in ((), *((one,) for one in INSIDE)) for name in names)
    )


def _of_modalities(connection: Connection) -> ColumnElement[int | None]:
    """The tokens of images in a list of modalities with their counts."""
    of_modalities = _within(MODALITIES)
    modalities = case((cast(of_modalities, Text).like("[%"), of_modalities))
    one: JSONText = func.jsonb_array_elements(modalities).table_valued("value").c.value
    if connection.dialect.name == "sqlite":  # its values of texts are no JSON
        one = modalities.op("->")(func.json_each(modalities).table_valued("key").c.key)
    tokens = func.sum(_count_of(one.op("->")("tokenCount")))
    is_image = cast(one.op("->")("modality"), Text) == '"IMAGE"'
    return select(tokens).where(is_image).scalar_subquery()


def _within(*path: str) -> JSONText:
    return reduce(lambda part, name: part.op("->")(name), path, _USAGE)


def _count_of(value: JSONText) -> ColumnElement[int | None]:
    """A JSON value as a number, where it is a count."""
    written = cast(value, Text)
    return case((written.regexp_match(COUNT), cast(written, BigInteger)))
