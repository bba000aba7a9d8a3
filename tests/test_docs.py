"""What the README and docs say can be done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from repository import ROOT

import tasks
from components.reading import check_rows
from components.reading.data_frames import read_frames
from pipelines.command_line import parser

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


def _commands(page: Path) -> list[str]:
    """What is to be typed, in blocks of any language and in indented lines."""
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = [*"\n".join(blocks).splitlines(), *re.findall(r"^    (.*)$", text, flags=re.MULTILINE)]
    return [found[1] for line in lines if (found := re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?(sluice [a-z].*)", line))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one(page):
    commands = _commands(page)
    assert (
        commands
        or page.parent.name == "reference"
        or page.name in {"design.md", "gate.md", "performance.md", "reliability.md", "scale.md"}
    )
    for command in commands:
        plain = re.split(r"   +[^- ]| [|>&] | && | 2>", command)[0]  # without what explains it or comes after it
        words = [word.replace("URL", "http://localhost") for word in shlex.split(plain, comments=True)[1:]]
        parser().parse_args(words)


def test_the_example_of_a_task_keeps_its_promises():
    (source,) = _blocks(ROOT / "docs" / "your-own-task.md", "python")
    module = {"__name__": "penguins"}
    exec(compile(source, "docs/your-own-task.md", "exec", dont_inherit=True), module)
    task = module["TASK"]
    assert isinstance(task, tasks.Task)
    names = [column.name for column in task.columns]
    for part in task.sample():
        for batch in read_frames(part.read(), part.name, names):
            checked = check_rows.check(task.features, task.label, batch)
            assert len(checked) == len(batch)
            assert checked.rejected == []
