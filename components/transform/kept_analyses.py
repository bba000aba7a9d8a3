"""Which of the train split's shards were analysed before, and what came of that.

A shard that ingest will not add to is a span: its content is its name. What tf.Transform's analyzers made of the new
spans of one run is kept as one block, a file named by them; later runs put whole blocks in place of reading the rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.examples.tfrecord import FULL_BYTES
from components.storage import urls

# Analyzer's key to its accumulators, as tf.Transform encodes both.
Analysis = Mapping[bytes, Sequence[bytes]]


@dataclass(frozen=True)
class Spans:
    """The shards of one analysis, by what is to be done with them."""

    kept: tuple[str, ...]
    new: Mapping[str, str]
    open: tuple[str, ...]

    @property
    def worthwhile(self) -> bool:
        return bool(self.kept or self.new)


def plan(shards: Sequence[str], place: str) -> Spans:
    """`kept` are blocks at the place; `new` are whole shards by their content; `open` ones may yet grow."""
    if not place or len(shards) < 2:  # to read one is cheaper than the bookkeeping
        return Spans((), {}, tuple(shards))
    system, last = urls.system_of(shards[-1])
    whole = shards if system.size(last) >= FULL_BYTES else shards[:-1]
    contents = {_content(shard): shard for shard in reversed(whole)}  # of equal shards the first; all others are read
    kept, covered = _cover(set(contents), place)
    if kept and "://" not in place:
        os.utime(place)  # tells `sluice clean` that it is in use
    new = {content: shard for content, shard in contents.items() if content not in covered}
    return Spans(tuple(kept), new, tuple(shard for shard in shards if shard not in contents.values()))


def _cover(wanted: set[str], place: str) -> tuple[list[str], set[str]]:
    """Blocks that are wholly of wanted spans and do not overlap, the largest first."""
    found = sorted(_blocks(place), key=lambda block: (-len(block[1]), block[0]))
    kept, covered = [], set[str]()
    for path, spans in found:
        if spans <= wanted and not spans & covered:
            kept.append(path)
            covered |= spans
    return kept, covered


def _blocks(place: str) -> Iterator[tuple[str, set[str]]]:
    system, inside = urls.system_of(place)
    for path in system.glob(f"{inside}/*.spans"):
        try:
            spans = set(json.loads(system.cat_file(path)))
            block = system.unstrip_protocol(path.removesuffix(".spans"))
            read(block)
        except (OSError, ValueError, TypeError, AttributeError):
            continue  # gone or damaged: the rows are read instead
        if spans:
            yield block, spans


def keep(place: str, spans: Iterable[str], analysis: Analysis) -> str:
    """Write a block; seen by others when its list of spans is there, which comes last."""
    block = block_of(place, spans)
    system, inside = urls.system_of(block)
    system.makedirs(inside.rpartition("/")[0], exist_ok=True)
    encoded = {entry.hex(): [b64encode(value).decode() for value in values] for entry, values in analysis.items()}
    content = json.dumps(encoded).encode()
    _put(system, inside, hashlib.sha256(content).digest() + content)
    _put(system, f"{inside}.spans", json.dumps(sorted(spans)).encode())
    return block


def block_of(place: str, spans: Iterable[str]) -> str:
    """Where the block of these spans lies, once it is made."""
    content = "\n".join(sorted(spans))
    return f"{place}/{hashlib.sha256(content.encode()).hexdigest()[:40]}"


def read(block: str) -> Analysis:
    """What `keep` wrote; damage is an error, not another result."""
    with urls.opened(block) as file:
        content = file.read()
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError(f"{block} is damaged. Remove it: what it holds will be computed again.")
    encoded = json.loads(content[32:])
    return {bytes.fromhex(entry): [b64decode(value) for value in values] for entry, values in encoded.items()}


def _put(system: Any, path: str, content: bytes) -> None:
    """Whole or not at all: an object store's objects are so, and elsewhere a renaming is."""
    if "file" not in system.protocol:
        system.pipe_file(path, content)
        return
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    system.pipe_file(temporary, content)
    system.mv(temporary, path)


def _content(shard: str) -> str:
    total = hashlib.sha256()
    with urls.opened(shard) as file:
        while piece := file.read(1 << 20):
            total.update(piece)
    return total.hexdigest()
