"""Plays recorded market data and order flow into a running riskd.

`read` turns one file into timed messages and touches nothing else; `play` sends them.
"""

from riskd.feed.read import FORMATS, detect, read
from riskd.feed.timed import FeedError, Timed

__all__ = ["FORMATS", "FeedError", "Timed", "detect", "read"]
