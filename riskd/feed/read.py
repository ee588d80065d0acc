"""From a recorded file to timed messages: finds the format, the symbol and the day."""

from __future__ import annotations

import gzip
import heapq
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from riskd.feed import bitstamp, lobster, ticks
from riskd.feed.timed import FeedError, Recording, Timed

FORMATS = (*ticks.TICK_FORMATS, "lobster", "bitstamp")
FXCM_ZONE = timezone(timedelta(hours=-5))  # FXCM counts the time of day at a fixed UTC-05.
GZIP_MAGIC = b"\x1f\x8b"
FEED_LENGTH_MAX = 48  # Leaves room for a suffix in the 64 characters of a feed's name.
DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
# File names begin with where the recording is from; what follows is the symbol.
SOURCES = frozenset(
    [
        "binance",
        "bitstamp",
        "bybit",
        "coinbase",
        "coinm",
        "fxcm",
        "kraken",
        "lobster",
        "mtgox",
        "oanda",
        "perp",
        "raw",
        "spot",
        "usdm",
    ]
)
PLAIN_NUMBERS = re.compile(r"^\d+(\.\d+)?,[1-7],\d+,\d+,-?\d+,-?1$")


def read(
    path: str | Path,
    *,
    symbol: str | None = None,
    account: str = "A1",
    price_scale: Decimal | str | int = 1,
    file_format: str | None = None,
    run: str = "",
) -> Iterator[Timed]:
    """Yield the messages of a recorded file in its order.

    `file_format` is one of FORMATS and `symbol` an instrument; both are taken from the file if
    absent. Prices are multiplied by `price_scale` exactly. Ids begin with `run`, symbol and day,
    so that files and runs do not collide. Raises FeedError naming file, line and expectation.
    """
    place = Path(path)
    shape = file_format or detect(place)
    if shape not in FORMATS:
        raise FeedError(f"{place.name}: unknown format {shape!r}; expected {', '.join(FORMATS)}.")
    recording = _recording(
        place,
        shape,
        symbol=symbol,
        account=account,
        price_scale=Decimal(price_scale),
        run=run,
    )
    lines = _lines(place)
    if shape == "lobster":
        book = _book_beside(place)
        return lobster.LobsterReader(recording, None if book is None else _lines(book)).read(lines)
    if shape == "bitstamp":
        return bitstamp.BitstampReader(recording).read(lines)
    return ticks.read_ticks(lines, recording, ticks.TICK_FORMATS[shape])


def merge(streams: Iterable[Iterator[Timed]]) -> Iterator[Timed]:
    """Merge recordings by time; at the same instant the earlier stream comes first."""
    return heapq.merge(*streams, key=lambda timed: timed.at_ns)


def detect(path: Path) -> str:
    """Return the format of a file by its first line; raise FeedError if none fits."""
    first = next(_lines(path), "").strip()
    if first.startswith(lobster.LOBSTER_COLUMNS) or PLAIN_NUMBERS.match(first):
        return "lobster"
    if bitstamp.LINE.match(first):
        return "bitstamp"
    fitting = [name for name, shape in ticks.TICK_FORMATS.items() if _begins(first, shape.columns)]
    if fitting:
        return fitting[0]
    raise FeedError(
        f"{path.name}:1: no known format begins with {first[:80]!r}. "
        f"Expected one of {', '.join(FORMATS)}; name it with --format."
    )


def symbol_of(path: Path) -> str:
    """Return the symbol in a file's name: `binance_coinm_btcusd_perp_...` is `BTCUSD_PERP`."""
    words = [word for word in _stem(path).lower().split("_") if word not in SOURCES]
    if not words:
        raise FeedError(f"{path.name}: no symbol in the file name; name it with --symbol.")
    is_coin_margined = "coinm" in path.name.lower() and "perp" in path.name.lower()
    return words[0].upper() + ("_PERP" if is_coin_margined else "")


def _recording(
    path: Path,
    shape: str,
    *,
    symbol: str | None,
    account: str,
    price_scale: Decimal,
    run: str,
) -> Recording:
    found = DAY.search(path.name)
    day = date(int(found[1]), int(found[2]), int(found[3])) if found else None
    named = symbol or symbol_of(path)
    parts = [run, named, day.isoformat() if day else ""]
    if shape not in ("lobster", "bitstamp"):
        zone_name = ticks.TICK_FORMATS[shape].zone
    else:
        zone_name = ticks.NEW_YORK if shape == "lobster" else "UTC"
    is_fxcm = path.name.lower().startswith("fxcm_")
    return Recording(
        name=path.name,
        symbol=named,
        account=account,
        price_scale=price_scale,
        stem="-".join(part for part in (run, _stem(path)) if part)[-FEED_LENGTH_MAX:],
        prefix="-".join(part for part in parts if part),
        day=day,
        zone=FXCM_ZONE if is_fxcm else _zone(path, zone_name),
    )


def _zone(path: Path, name: str) -> timezone | ZoneInfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        text = f"{path.name} counts time in {name}, and this machine has no time zones"
        raise FeedError(f"{text}; install the package tzdata.") from error


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a plain or gzipped text file."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == GZIP_MAGIC
        opened = gzip.open if is_gzip else open
        with opened(path, "rt", encoding="utf-8") as stream:
            for line in stream:  # noqa: UP028  `yield from` would close the stream twice over.
                yield line
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FeedError(f"{path}: {reason}.") from error


def _book_beside(path: Path) -> Path | None:
    """Return the book file of a LOBSTER message file, which has one row per message."""
    for name in ("_book10", "_orderbook_10", "_orderbook"):
        for ending in ("_messages", "_message_10", "_message"):
            book = path.with_name(path.name.replace(ending, name))
            if ending in path.name and book.exists():
                return book
    return None


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _begins(first: str, columns: str) -> bool:
    return first == columns or first.startswith((f"{columns},", columns + "_"))
