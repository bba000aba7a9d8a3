from __future__ import annotations

from html.parser import HTMLParser
from xml.etree.ElementTree import tostring

import numpy as np

from components.rest_server.form_fields import field, spans
from tasks import Category, Date, Image, Number, Text


def html(feature, example=None, span=None) -> str:
    values = None if example is None else np.array([example], np.float32 if isinstance(example, float) else None)
    return tostring(field(feature, values, span), encoding="unicode", method="html")


def tags(text: str) -> list[str]:
    """The elements that a browser would make of it."""
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: found.append(tag)  # type: ignore[method-assign]
    parser.feed(text)
    return found


def test_a_number_with_its_limits_and_what_was_seen():
    made = html(Number("weight", minimum=500, maximum=10_000, about="pounds"), 3504.1, (1747.0, 4256.0))
    assert '<input type="number" step="any" data-kind="number" value="3504.1" min="500" max="10000">' in made
    assert "500 to 10000; trained on 1747 to 4256" in made
    assert "pounds" in made


def test_a_number_that_may_be_missing():
    made = html(Number("horsepower", minimum=1, when_missing="keep"), float("nan"))
    assert 'data-optional="yes"' in made
    assert 'value="" min="1"' in made
    assert "1 to any; may be empty" in made


def test_a_choice_keeps_integers_and_texts_apart():
    made = html(Category("origin", (1, 2), names=("USA", "Europe"), when_missing="keep"), 2)
    assert '<option value="-1">(missing)</option><option value="1">USA</option>' in made
    assert '<option value="2" selected="selected">Europe</option>' in made
    assert '<option value="&quot;left&quot;">left</option>' in html(Category("side", ("left", "right")))


def test_what_a_task_or_a_row_says_stays_text():
    made = html(Text("review", about="<b>any</b>"), b"</textarea><script>alert(1)</script>")
    assert "&lt;b&gt;any&lt;/b&gt;" in made
    assert tags(made) == ["label", "span", "span", "textarea"]
    assert "&lt;/textarea&gt;&lt;script&gt;" in made
    assert tags(html(Category("side", ('"><script>', "right")))) == ["label", "span", "select", "option", "option"]


def test_a_picture():
    made = html(Image("picture", (2, 3)), b"abcdef")
    assert (
        '<canvas width="3" height="2" data-kind="picture" data-channels="1" data-sends="pixels" data-pixels="YWJj'
        in made
    )
    assert "it becomes 3 by 2 grey pixels" in made
    assert 'data-file="' in html(Image("picture", (2, 3)), b"\x89PNG and more")
    made = html(Image("photo", 2, 3, channels=3), b"x" * 18)
    assert 'data-channels="3" data-sends="file" data-pixels="' in made
    assert "its file is sent as it is" in made


def test_a_date_is_a_field_of_the_browser_s_own():
    limited = Date("when", minimum="2000-01-01", maximum="2100-01-01", when_missing="keep")
    made = html(limited, b"2026-11-24T18:03:01.25+01:00", ("2026-01-05", "2026-05-24T23:00Z"))
    assert '<input type="datetime-local" step="any" data-kind="date" value="2026-11-24T17:03:01"' in made
    assert 'min="2000-01-01T00:00" max="2100-01-01T00:00"' in made
    assert "UTC; trained on 2026-01-05 to 2026-05-24T23:00Z; may be empty" in made
    assert 'value="2026-11-24T00:00"' in html(Date("when"), b"2026-11-24")
    assert 'value=""' in html(Date("when"), b"")


def test_spans_are_those_of_the_training_rows():
    statistics = {"columns": {"a": {"train": {"min": 1.0, "max": 2.0}}, "b": {"train": {"count": 0}}}}
    statistics["columns"]["d"] = {"train": {"first": "2026-01-05", "last": "2026-05-24"}}
    columns = (Number("a"), Number("b"), Number("c"), Date("d"))
    assert spans(columns, statistics) == {"a": (1.0, 2.0), "d": ("2026-01-05", "2026-05-24")}
