"""How Kubernetes wants names, labels, variables and images written: it would refuse others only when a step starts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks import InputError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PART = r"(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_PREFIX = rf"(?=[^/]{{1,253}}/){_DOMAIN}/"
_PATH = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
# Only what has a dot or a port, or is this machine, is a registry; all else is of the path, in lower case.
_REGISTRY = r"(?=[^/]*[.:]|localhost/)[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?(:[0-9]+)?/"


@dataclass(frozen=True)
class Spelling:
    """A kind of word, and in a sentence what is allowed in it."""

    pattern: re.Pattern[str]
    words: str

    def fits(self, word: object) -> bool:
        return isinstance(word, str) and self.pattern.fullmatch(word) is not None

    def check(self, what: str, word: object) -> None:
        if not self.fits(word):
            raise InputError(f"{what} is not what Kubernetes takes. Expected {self.words}. Received: {word!r}.")


NAME = Spelling(
    re.compile(rf"(?=.{{1,253}}$){_DOMAIN}"),
    "lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part",
)
NAMESPACE = Spelling(
    re.compile(rf"(?=.{{1,63}}$){_LABEL}"),
    "up to 63 lower-case letters, digits and '-', with a letter or digit at both ends",
)
LABEL_KEY = Spelling(
    re.compile(rf"({_PREFIX})?{_PART}"),
    "up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, and before it perhaps a domain "
    "and '/', such as example.com/pool",
)
LABEL_VALUE = Spelling(
    re.compile(rf"({_PART})?"),
    "up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, or nothing",
)
VARIABLE = Spelling(re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "letters, digits and '_', with no digit first")
SECRET_KEY = Spelling(re.compile(r"[-._A-Za-z0-9]{1,253}"), "letters, digits, '-', '_' and '.'")
RESOURCE = Spelling(re.compile(rf"{_PREFIX}{_PART}"), "a domain, '/' and a name, such as nvidia.com/gpu")
IMAGE = Spelling(
    re.compile(rf"({_REGISTRY})?{_PATH}(/{_PATH})*(:\w[\w.-]{{0,127}})?(@[a-z0-9.+_-]+:[0-9a-f]{{32,}})?", re.ASCII),
    "[REGISTRY/]NAME[:TAG][@DIGEST] with the name in lower case, such as registry.example/sluice:1.0",
)
