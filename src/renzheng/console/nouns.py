"""What the console's lists consist of: tables over the management API's actions, and buttons for a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Sentences = tuple[str, str]
"""English, Chinese."""


@dataclass(frozen=True, slots=True)
class Column:
    """`name`: of a field of a reply's item; a dot leads into an object. `kind`: text, code, time, badge, number, list,
    pairs, verb, switch, size, account or result.

    `words`: what a value is called, by value. `tones`: its colour.
    """

    name: str
    title: Sentences
    kind: str = "text"
    words: Mapping[Any, Sentences] = field(default_factory=dict)
    tones: Mapping[Any, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Button:
    """An action that a person takes. `given`: parameters from the row, by its fields. `asked`: parameters in the order
    of the form; None: all but the given ones. `when`: fields of the row and the values that they must have. `warning`:
    what a person should know first. `back`: where the person goes afterwards, if not to the same page. `page`: a page
    of its own, instead of the form. `shows`: the template that shows the reply. A field `@X` is the list's own
    parameter X."""

    action: str
    title: Sentences
    given: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] | None = None
    when: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    tone: str = ""
    warning: Sentences | None = None
    back: str = ""
    page: str = ""
    shows: str = ""

    def suits(self, row: Mapping[str, Any]) -> bool:
        return all(row.get(name) in values for name, values in self.when.items())


@dataclass(frozen=True, slots=True)
class Table:
    """A list. `action` returns it; `items`: the list in its reply. `filters`: parameters that the person may set.
    `private_filter`: one more that identifies a person: it is sent in a form and appears in no address, history or log.
    `buttons`: for a row; `first`: those that need no row. `link`: the path of a row's own page, with `{Field}` in it.
    `context`: parameters from the address. `above`: the list that it belongs to; without one, it is in the menu.
    `needs_account`: its action is about one account; the first is shown if none was chosen."""

    path: str
    title: Sentences
    lead: Sentences
    icon: str
    action: str
    items: str
    columns: tuple[Column, ...]
    filters: tuple[str, ...] = ()
    private_filter: str = ""
    first: tuple[Button, ...] = ()
    buttons: tuple[Button, ...] = ()
    link: str = ""
    context: tuple[str, ...] = ()
    above: Table | None = None
    needs_account: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A row's own page: `action` returns the record that `parameter` names, under `item`. `heading`: a field.

    Without a parameter there is only one record, and it is in the menu.
    """

    path: str
    table: Table
    action: str
    parameter: str
    item: str
    heading: str
    columns: tuple[Column, ...]
    buttons: tuple[Button, ...]
    template: str = "record.html"
