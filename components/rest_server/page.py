"""The page to try models by hand: one self-contained file with a form for each task, asking as any client would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from xml.etree.ElementTree import Element, SubElement, tostring

from components.rest_server.form_fields import field
from components.rest_server.live_model import LiveModel
from components.serving.output_names import main_output
from tasks import Category, Number

HERE = files("components.rest_server")
LISTED = 20


def html(models: Iterable[LiveModel], nonce: str) -> bytes:
    """The whole page; script and style run by their nonce, so that nothing that is slipped in does."""
    root = Element("html", {"lang": "en"})
    head = SubElement(root, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "link", {"rel": "icon", "href": "data:,"})
    SubElement(head, "title").text = "Sluice: try a model"
    SubElement(head, "style", {"nonce": nonce}).text = HERE.joinpath("page.css").read_text()
    body = SubElement(root, "body")
    main = SubElement(body, "main")
    for model in models:
        main.append(_section(model))
    note = "For trying out on this machine. Production is TF Serving's job; it answers the same requests."
    SubElement(body, "footer").text = note
    SubElement(body, "script", {"nonce": nonce}).text = HERE.joinpath("page.js").read_text()
    return b"<!doctype html>\n" + tostring(root, encoding="utf-8", method="html")


def policy(nonce: str) -> str:
    """What a browser lets the page do."""
    allowed = f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data: blob:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _section(model: LiveModel) -> Element:
    task, loaded = model.task, model.loaded
    section = Element("section", {"id": model.name})
    heading = SubElement(section, "h1")
    heading.text = model.name
    SubElement(heading, "span", {"class": "version"}).text = f"version {loaded.number}"
    SubElement(section, "p").text = f"{task.about}. Answers {_answers(task.label)}."
    facts = {
        "name": model.name,
        "label": task.label.name.replace("_", " "),
        "output": main_output(task),
        "labels": list(task.label.labels) if isinstance(task.label, Category) else [],
    }
    form = SubElement(section, "form", {"novalidate": "novalidate", "data-task": json.dumps(facts)})
    for feature in task.features:
        form.append(field(feature, loaded.example.get(feature.name), loaded.spans.get(feature.name)))
    SubElement(form, "button", {"type": "submit"}).text = "Ask"
    SubElement(section, "div", {"class": "answer", "role": "status"})
    details = SubElement(section, "details")
    SubElement(details, "summary").text = "The request"
    SubElement(details, "pre", {"class": "request"})
    return section


def _answers(label: Number | Category) -> str:
    if isinstance(label, Number):
        return label.name.replace("_", " ") + (f" ({label.about})" if label.about else "")
    more = ", ..." if len(label.labels) > LISTED else ""
    return f"one of {len(label.labels)}: {', '.join(label.labels[:LISTED])}{more}"
