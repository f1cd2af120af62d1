"""A list: sticky header, sortable, filter by typing, selection, actions at the right; one column of cards on a phone."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nicegui import events, ui

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """numeric: right-aligned in tabular figures. wide: may wrap."""

    name: str
    label: str
    numeric: bool = False
    sortable: bool = True
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A button in a row. tone: ours, quiet or bad."""

    name: str
    label: str
    tone: str = "quiet"


def cell(
    text: str,
    sort: float | str | None = None,
    *,
    href: str = "",
    tone: str = "",
    icon: str = "",
    sub: str = "",
    svg: str = "",
) -> Row:
    """What stands in a column of a row. sort: what orders it (the text itself by default). svg: ours, never from outside."""
    shown: Row = {"t": text, "s": text.lower() if sort is None else sort}
    for key, value in (("h", href), ("c", tone), ("i", icon), ("u", sub), ("g", svg)):
        if value:
            shown[key] = value
    return shown


_ACTS = {"name": "acts", "label": "", "field": "acts", "align": "right"}
_SORT_JS = "(a, b) => (a.s === b.s ? 0 : a.s < b.s ? -1 : 1)"
_BODY = """
<q-tr :props="props">
  <q-td v-if="%(select)s" auto-width class="select">
    <q-checkbox v-if="props.row.acts" v-model="props.selected" dense aria-label="Select" />
  </q-td>
  <q-td v-for="col in props.cols.filter((c) => c.name !== 'acts')" :key="col.name" :props="props" :data-label="col.label">
    <template v-if="props.row[col.name]">
      <span class="cell"><q-icon v-if="props.row[col.name].i" :name="props.row[col.name].i" :class="'tone-' + props.row[col.name].c" size="16px" class="cell-icon" />
      <span v-if="props.row[col.name].g" v-html="props.row[col.name].g"></span>
      <a v-if="props.row[col.name].h" :href="props.row[col.name].h">{{ props.row[col.name].t }}</a>
      <span v-else :class="props.row[col.name].i ? '' : 'tone-' + props.row[col.name].c">{{ props.row[col.name].t }}</span></span>
      <div v-if="props.row[col.name].u" class="cell-sub">{{ props.row[col.name].u }}</div>
    </template>
  </q-td>
  <q-td v-if="%(acts)s" class="acts" auto-width>
    <template v-if="props.row.acts">
      <button v-for="act in %(actions)s" :key="act.n" type="button" :class="'act act-' + act.c"
        @click="() => $parent.$emit('act', {id: props.row.id, act: act.n})">{{ act.l }}</button>
    </template>
    <span v-if="props.row.pending" class="tone-quiet">{{ props.row.pending }}</span>
  </q-td>
</q-tr>
"""


class DataTable:
    """Rows are dictionaries: `id`, one `cell` a column, `acts` (true: the row's actions show), `pending` (a word instead).

    on_sort: makes sorting the caller's work (server-paged lists); gets the column's name and whether it descends.
    """

    def __init__(
        self,
        columns: list[Column],
        *,
        empty: str,
        page_rows: int = 0,
        filtered: str = "",
        actions: tuple[Action, ...] = (),
        selection: bool = False,
        on_act: Callable[[str, str], Any] | None = None,
        on_select: Callable[[list[str]], None] | None = None,
        on_sort: Callable[[str, bool], Any] | None = None,
        sort: tuple[str, bool] = ("", False),
    ) -> None:
        self._rows: list[Row] = []
        self._typed = ""
        self._on_select = on_select
        if filtered:
            self._filter = ui.input(placeholder=filtered, on_change=self._type).classes("filter")
            self._filter.props('dense outlined clearable debounce="200"')
        paging: dict[str, Any] = {"rowsPerPage": page_rows, "sortBy": sort[0] or None, "descending": sort[1]}
        if on_sort is not None:
            paging |= {"rowsPerPage": 0, "rowsNumber": 1}
        self._table = ui.table(
            rows=[],
            columns=[_column(column) for column in columns] + ([_ACTS] if actions else []),
            row_key="id",
            pagination=paging,
            selection="multiple" if selection else None,
            on_select=(lambda event: self._selected(event.selection)) if selection else None,
        )
        self._table.classes("list").props("flat dense wrap-cells")
        self._page_rows = page_rows if on_sort is None else 0
        self._table.props("hide-bottom")
        shown_actions = json.dumps([{"n": act.name, "l": act.label, "c": act.tone} for act in actions])
        self._table.add_slot(
            "body",
            _BODY
            % {
                "select": "true" if selection else "false",
                "acts": "true" if actions else "false",
                "actions": shown_actions.replace('"', "'"),
            },
        )
        self._empty = ui.label(empty).classes("empty")
        if on_act is not None:
            self._table.on("act", lambda event: on_act(event.args["id"], event.args["act"]))
        if on_sort is not None:
            self._table.on("request", lambda event: self._sorted(event, on_sort))

    def set_rows(self, rows: list[Row]) -> None:
        """Shows `rows`; sends nothing to the browser when they are the same."""
        if rows == self._rows and self._rows:
            return
        self._rows = rows
        self._show()

    def type_filter(self, text: str) -> None:
        """Filters as if the reader had typed `text`."""
        self._filter.set_value(text)

    def clear_selection(self) -> None:
        self._table.selected = []
        self._table.update()
        if self._on_select is not None:
            self._on_select([])

    def _show(self) -> None:
        typed = self._typed.lower()
        rows = [row for row in self._rows if typed in _text(row)] if typed else self._rows
        if rows != self._table.rows:
            self._table.rows = rows
        one_page = not self._page_rows or len(rows) <= self._page_rows
        self._table.props("hide-bottom") if one_page else self._table.props(remove="hide-bottom")
        self._empty.set_visibility(not rows)
        self._table.set_visibility(bool(rows))
        gone = {row["id"] for row in self._table.selected} - {row["id"] for row in rows if row.get("acts")}
        if gone:
            self._table.selected = [row for row in self._table.selected if row["id"] not in gone]
            self._selected(self._table.selected)

    def _type(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self._typed = event.value or ""
        self._show()

    def _selected(self, rows: list[Row]) -> None:
        if self._on_select is not None:
            self._on_select([row["id"] for row in rows if row.get("acts")])

    def _sorted(self, event: events.GenericEventArguments, on_sort: Callable[[str, bool], Any]) -> Any:
        wanted = event.args["pagination"]
        self._table.pagination = {
            "rowsPerPage": 0,
            "rowsNumber": 1,
            "sortBy": wanted["sortBy"],
            "descending": wanted["descending"],
        }
        return on_sort(wanted["sortBy"] or "", bool(wanted["descending"]))


def _column(column: Column) -> Row:
    classes = " ".join(name for name, wanted in (("number", column.numeric), ("wide", column.wide)) if wanted)
    return {
        "name": column.name,
        "label": column.label,
        "field": column.name,
        "align": "right" if column.numeric else "left",
        "sortable": column.sortable,
        "classes": classes,
        "headerClasses": classes,
        ":sort": _SORT_JS,
    }


def _text(row: Row) -> str:
    return " ".join(
        f"{value['t']} {value.get('u', '')}" for value in row.values() if isinstance(value, dict)
    ).lower()
