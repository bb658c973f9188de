"""How a record of any logger becomes a line: `key=value` for people, or a JSON object.

Modules log as usual, `logger.info("event=refused client=%s text=%r", client, text)`. What stands in
the template is ours; every argument may be a stranger's, so each becomes one quoted value
(`texts.quoted`), whichever logger it goes to. A traceback follows its line, indented: a line that
begins with a time is always a record.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from domains.foundation.text import texts

_BLANKS = re.compile(r"(\s+)")
_FIELD = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"%(?:%|[#0 +-]*\d*(?:\.\d+)?[sradifeEgGxXoc])")
_QUOTING = re.compile(r"(?<!%)%[ra]")
NOTHING = "-"

Converter = Callable[[Any], Any]


class TemplateWord(NamedTuple):
    """A word of a template: a field's value if it has a key; `takes` arguments of the record
    belong to it.
    """

    key: str
    text: str
    takes: int


@lru_cache(maxsize=1024)
def words(template: str) -> tuple[TemplateWord, ...]:
    """Return the template's words, blanks between them included."""
    return tuple(_word(part) for part in _BLANKS.split(template) if part)


def _word(part: str) -> TemplateWord:
    count = sum(placeholder != "%%" for placeholder in _PLACEHOLDER.findall(part))
    field = _FIELD.fullmatch(part)
    key, text = field.groups() if field else ("", part)
    # Our quotes stand for those of Python.
    return TemplateWord(key, _QUOTING.sub("%s", text), count)


def value(argument: Any) -> Any:
    """Return the argument so that it can be formatted as text or number, and begins no field."""
    kind = type(argument)
    if kind is str:
        return texts.quoted(argument)
    if kind is int or kind is UUID or isinstance(argument, bool | int | float):
        return argument
    return NOTHING if argument is None else texts.quoted(str(argument))


@lru_cache(maxsize=1024)
def _plan(template: str) -> tuple[str, tuple[Converter, ...]]:
    """Return a template whose every argument is a value, and what makes these of the given ones."""
    converters: list[Converter] = []
    parts = []
    for key, text, count in words(template):
        if key and count == 1 and text != "%s":
            text, convert = "%s", _inside(text)
        elif key and count > 1:
            raise ValueError("a field has one argument")
        else:
            convert = value
        parts.append(f"{key}={text}" if key else text)
        converters += [convert] * count
    return "".join(parts), tuple(converters)


def _inside(text: str) -> Converter:
    """Return what makes one value of an argument and of what surrounds it: `to=<%s>`."""
    return lambda given: NOTHING if given is None else texts.quoted(text % (given,))


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message on one line; a template that does not fit its arguments is no
    reason to lose it.
    """
    if not record.args:
        return texts.clean(str(record.msg))
    try:
        template, converters = _plan(str(record.msg))
        return template % tuple(
            [convert(given) for convert, given in zip(converters, record.args, strict=True)]
        )
    except (TypeError, ValueError):
        return texts.quoted(record.getMessage())


class LineFormatter(logging.Formatter):
    """Time, level and message; then its traceback, indented."""

    _second = -1
    _time = ""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self._stamp(record)} {record.levelname:<7} {message_of(record)}"
        more = _traceback(self, record)
        return "\n".join([line, *(f"    {texts.clean(each)}" for each in more)]) if more else line

    def _stamp(self, record: logging.LogRecord) -> str:
        """Write the time as `formatTime` does, but format each second only once."""
        second = int(record.created)
        if second != self._second:
            self._time, self._second = (
                time.strftime("%Y-%m-%d %H:%M:%S", self.converter(second)),
                second,
            )
        return f"{self._time},{int(record.msecs):03d}"


class JSONFormatter(logging.Formatter):
    """One object a line: time, level, logger, the fields of the message, and as `note` its words
    that are no field.
    """

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts = {
            "time": when,
            "level": record.levelname.lower(),
            "logger": record.name,
            **facts_of(record),
        }
        if more := _traceback(self, record):
            facts["traceback"] = "\n".join(more)
        return texts.clean(json.dumps(facts, ensure_ascii=False, default=str))


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the record's fields with their values as they were given."""
    if not isinstance(record.args, tuple) or not record.args:
        return {"note": record.getMessage()}
    facts: dict[str, Any] = {}
    note, position = [], 0
    try:
        for key, text, count in words(str(record.msg)):
            given = record.args[position : position + count]
            position += count
            if key:
                facts[key] = _fact(text, given)
            else:
                note.append(text % given)
    except (TypeError, ValueError):
        return {"note": record.getMessage()}
    said = "".join(note).strip()
    return facts | ({"note": said} if said else {})


def _fact(text: str, given: tuple[Any, ...]) -> Any:
    if given == (None,):
        return None
    if text in ("%s", "%d") and isinstance(given[0], bool | int | float):
        return given[0]
    return text % given


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return its lines. The record's own copy may be another formatter's."""
    found = (
        texts.lines(formatter.formatException(record.exc_info))
        if record.exc_info
        else texts.lines(record.exc_text or "")
    )
    return found + texts.lines(record.stack_info or "")


def configure(config: dict[str, Any]) -> None:
    """Set logging up (`LOGGING_CONFIG`); warnings of Python and its libraries are lines like all
    others.
    """
    logging.config.dictConfig(config)
    logging.captureWarnings(True)


FORMATS: dict[str, type[logging.Formatter]] = {"text": LineFormatter, "json": JSONFormatter}
