"""What was typed, checked as far as that needs nothing but the words."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from components import beam_runners
from tasks import InputError

URL = re.compile(r"([A-Za-z][\w+.-]*)://((?:(?!::)[^/])*)")
# In these a container or a repository stands before the @.
CONTAINERS, REPOSITORIES = {"abfs", "abfss", "az"}, {"git", "github"}


def check_no_keys(given: argparse.Namespace) -> None:
    """No word of a command holds a password: it would be in the terminal, the logs, the record and the report."""
    for name, value in vars(given).items():
        if name == "notify":  # is kept nowhere, and has a check of its own
            continue
        for words in _words(value):
            if scheme := holds_key(words):
                raise InputError(
                    f"{name.removesuffix('_dir')}: an address must not hold a user or a key, which is printed and kept "
                    "with every run. Expected it where the driver looks: in variables such as AWS_SECRET_ACCESS_KEY, "
                    f"or in a file below ~/.config/fsspec. Received: {scheme}://… with one."
                )


def holds_key(words: str) -> str:
    """The scheme of the first URL in the words, which may be chained, that has a user, password or key; or ""."""
    return next((scheme for scheme, place in URL.findall(words) if _holds_key(scheme.lower(), place)), "")


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _words(one)
    elif value is not None:
        yield str(value)


def _holds_key(scheme: str, place: str) -> bool:
    before, at, _ = place.rpartition("@")
    if at:
        return scheme not in REPOSITORIES and (":" in before or scheme not in CONTAINERS)
    # A key may have a slash in it, so that its @ comes later; a port is of digits.
    _, colon, port = place.partition(":")
    return bool(colon) and not port.isdigit()


def check(given: argparse.Namespace) -> None:
    beam_runners.check(given.beam)
    if given.force is not None and not given.force.strip():
        raise InputError("--force needs a reason, which is kept with the pushed model. Received: an empty one.")
    if given.keep < 0:
        raise InputError(f"--keep takes a number of versions, 0 for all. Received: {given.keep}.")
