"""Addresses in texts that others will read: without what lets one in."""

from __future__ import annotations

import re

# Of an address in a text: a user, with a password that may hold slashes; and a query with values, such as a signature.
USER = re.compile(r"(?<=://)(?:[^\s/@'\"]*|[^\s/:@'\"]*:(?!:|\d+/)(?:(?!::)[^\s'\"])*)@")
QUERY = re.compile(r"(\w://[^\s?'\"]*)\?[^\s'\"]*=[^\s'\"]*")


def without_secrets(words: str) -> str:
    """The same text for others to read: its addresses without users, passwords and signatures."""
    return QUERY.sub(r"\1?…", USER.sub("", words))
