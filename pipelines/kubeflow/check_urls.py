"""Addresses that the steps are given: without keys, which every run shows, and of schemes and placeholders known."""

from __future__ import annotations

import re

from components.resolve import date_placeholders
from pipelines.check_arguments import URL, holds_key
from tasks import InputError, nearest

PLACEHOLDER = re.compile(r"\{[^{},]*\}")
# A driver brings this one along, without being known for it.
MORE = {"abfss"}
USUAL = ["s3", "gs", "gcs", "abfs", "az", "hdfs", "http", "https", "hf", "file"]


def check_keys(words: str, what: str) -> None:
    """No user, password or key in any of the URLs that may be chained here."""
    if scheme := holds_key(words):
        raise InputError(
            f"{what} must not hold a user or a key, which everyone would see who sees the run. Expected a "
            f"Kubernetes secret, given by --secret NAME:KEY=VARIABLE. Received: {scheme}://… with one."
        )


def check_schemes(words: str, what: str) -> None:
    import fsspec  # a sixth of a second

    known = {*fsspec.available_protocols(), *MORE}
    for scheme, _ in URL.findall(words):
        if scheme not in known:
            raise InputError(f"{what} has the scheme {scheme!r}, which no driver knows.{nearest(scheme, USUAL)}")


def check_placeholders(words: str, what: str) -> None:
    """Braces with a comma are a glob's."""
    for found in PLACEHOLDER.findall(words):
        if found not in (date_placeholders.DATE, date_placeholders.PREVIOUS):
            hint = nearest(found, [date_placeholders.DATE, date_placeholders.PREVIOUS])
            raise InputError(f"{what} has a placeholder {found}, which nothing would fill.{hint}")
