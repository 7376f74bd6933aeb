"""Words for a message: a template of the right language filled with facts. Pure but for reading templates.

A template is one file with the blocks ``subject``, ``mail`` and, where an SMS is sent, ``sms``. Every value
is stripped of line breaks and control characters before it is inserted: a name can neither add a header
nor a line that looks like ours. Text is not escaped, the HTML part is (decided by the suffix).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from supervision.notify import gsm7
from supervision.notify.model import Channel, Template, Words
from supervision.notify.say import Say

FOLDER = Path(__file__).parent / "templates"

MAX_SUBJECT = 150
_SHORTENED = ("car", "place")  # names that may be cut to make an SMS fit; nothing else ever is
_NAME_LENGTHS = (40, 24, 16, 10, 6)


class TooLongError(ValueError):
    """An SMS does not fit although every name in it was cut: the template is wrong."""


def clean(value: object) -> object:
    """Make a value one line: control, format and separator characters become spaces."""
    if not isinstance(value, str):
        return value
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} else c for c in value)
    return re.sub(r" {2,}", " ", spaced).strip()


@cache
def environment() -> Environment:
    """The templates; an unknown name is an error, never an empty place."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def channels_of(template: Template) -> tuple[Channel, ...]:
    """Return the channels a template has words for."""
    found = environment().get_template(f"fr/{template}.txt").blocks
    return (Channel.MAIL, Channel.SMS) if "sms" in found else (Channel.MAIL,)


def compose(template: Template, channel: Channel, *, say: Say, facts: Mapping[str, Any]) -> Words:
    """Fill the template; facts missing from it raise jinja2.UndefinedError."""
    if channel is Channel.SMS:
        return Words(text=_sms(template, say, facts))
    subject = _block(template, "subject", say, facts).replace("\n", " ")[:MAX_SUBJECT]
    text = _typeset(_block(template, "mail", say, facts), say)
    return Words(subject=_typeset(subject, say), text=text + "\n", html=_html(text, say, facts))


def _block(template: Template, block: str, say: Say, facts: Mapping[str, Any]) -> str:
    source = environment().get_template(f"{say.language}/{template}.txt")
    context = source.new_context({**facts, "say": say})
    text = "".join(source.blocks[block](context)).strip()
    return re.sub(r"\n{3,}", "\n\n", text)


def _sms(template: Template, say: Say, facts: Mapping[str, Any]) -> str:
    for length in _NAME_LENGTHS:
        names = {name: _cut(str(facts[name]), length) for name in _SHORTENED if name in facts}
        text = gsm7.to_gsm7(" ".join(_block(template, "sms", say, {**facts, **names}).split()))
        if gsm7.length(text) <= gsm7.LIMIT:
            return text
    raise TooLongError(f"{template} in {say.language} needs {gsm7.length(text)} characters")


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1].rstrip() + "."


def _typeset(text: str, say: Say) -> str:
    """French puts a no-break space before its tall punctuation."""
    return re.sub(r" (?=[:;?!»])|(?<=«) ", "\u00a0", text) if say.language == "fr" else text


def _html(text: str, say: Say, facts: Mapping[str, Any]) -> str:
    paragraphs = [paragraph.split("\n") for paragraph in text.split("\n\n")]
    page = environment().get_template("mail.html")
    return page.render(
        language=say.language,
        paragraphs=paragraphs,
        link=clean(facts.get("link", "")),
        code=clean(facts.get("code", "")),
    )
