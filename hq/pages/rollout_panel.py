"""Roll-outs on the models page: how far each bundle is, what shops said, how it scores, and what to do about it."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from contract.api.rollouts import (
    BundleView,
    RolloutAction,
    RolloutMode,
    RolloutPost,
    RolloutState,
    RolloutView,
)
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.frame import section
from hq.pages.person import remember, who_input
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.pages.toast import Toast
from hq.rollout_words import (
    ACTIONS,
    CONSEQUENCES,
    possible,
    progress_words,
    score_words,
    state_words,
)
from hq.words import ago

_COLUMNS = [
    Column("bundle", "Bundle"),
    Column("state", "State"),
    Column("share", "Share", numeric=True),
    Column("shops", "Shops", wide=True, sortable=False),
    Column("scores", "A day ahead", wide=True, sortable=False),
    Column("changed", "Changed", numeric=True),
]
_MODES = {
    "live": "Live: it forecasts and orders",
    "shadow": "Shadow: it is only scored beside the current one",
}
_NEEDS_PERCENT = frozenset({"widen", "promote"})


class RolloutPanel:
    def __init__(self, desk: Desk, toast: Toast, when_changed: Callable[[], Awaitable[None]]) -> None:
        self._desk, self._toast, self._when_changed = desk, toast, when_changed
        self._rollouts: dict[str, RolloutView] = {}
        self._bundles: list[BundleView] = []
        with section(
            "Roll-outs",
            "a bundle reaches a growing share of the shops; shops that it does not fit refuse it and keep their last good one",
            anchor="rollouts",
        ):
            self._table = DataTable(
                _COLUMNS,
                empty="No roll-out yet: every shop runs the bundle that its gateway was installed with.",
                actions=(Action("decide", "Look and decide", "ours"),),
                on_act=self._act,
                page_rows=10,
            )
            self._new = ui.button("Roll out a bundle…", on_click=self._ask)
            self._new.props("outline dense no-caps color=ink").classes("stop")
            self._hint = ui.label().classes("panel-note")

    def show(self, rollouts: list[RolloutView], bundles: list[BundleView], now_ms: int) -> None:
        self._rollouts = {str(rollout.rollout): rollout for rollout in rollouts}
        self._bundles = bundles
        self._new.set_enabled(bool(bundles))
        self._hint.set_text(
            "" if bundles else "The centre has no bundle yet: “shelfloop models publish” sends one."
        )
        self._table.set_rows([_row(rollout, now_ms) for rollout in rollouts])

    def _act(self, key: str, _: str) -> None:
        rollout = self._rollouts.get(key)
        if rollout is not None:
            self._decide(rollout)

    def _decide(self, rollout: RolloutView) -> None:
        with ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.label(f"{rollout.name}, roll-out {rollout.rollout}").classes("panel-title")
            ui.label(f"{progress_words(rollout)}. {rollout.advice}".strip()).classes("consequence")
            _show_scores(rollout)
            for refusal in rollout.refusals[:5]:
                ui.label(refusal).classes("tone-bad")
            acts = possible(rollout)
            if acts:
                self._ask_what(dialog, rollout, acts)
            else:
                ui.label(f"Nothing is left to decide: it is {state_words(rollout)[0]}.").classes("panel-note")
                with ui.element("div").classes("dialog-acts"):
                    ui.button("Close", on_click=dialog.close).props("flat no-caps color=ink")
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _ask_what(self, dialog: ui.dialog, rollout: RolloutView, acts: list[str]) -> None:
        first = "promote" if rollout.may_promote else acts[0]
        chosen = ui.select({act: ACTIONS[act] for act in acts}, value=first, label="What to do")
        chosen.props("dense outlined").classes("grow")
        told = ui.label(CONSEQUENCES[first]).classes("consequence")
        chosen.on_value_change(lambda event: told.set_text(CONSEQUENCES[event.value]))
        percent = _percent_input(min(100, max(rollout.percent * 2, 10)))
        percent.bind_visibility_from(chosen, "value", lambda act: act in _NEEDS_PERCENT)
        against = ui.checkbox("Promote although the scores do not say so; the reason goes into the audit")
        against.bind_visibility_from(
            chosen, "value", lambda act: act == "promote" and not rollout.may_promote
        )
        who = who_input(self._desk.me)
        reason = ui.input("Reason").props('dense outlined maxlength="300"').classes("grow")
        problem = ui.label().classes("tone-bad")

        async def go() -> None:
            name, why, act = (who.value or "").strip(), (reason.value or "").strip(), str(chosen.value)
            if not name or not why:
                problem.set_text("Give your name and a reason: the audit keeps both.")
                return
            remember(name)
            by = RolloutAction(
                who=name, reason=why, percent=int(percent.value or 0) if act in _NEEDS_PERCENT else None,
                override=bool(against.value) and act == "promote",
            )  # fmt: skip
            dialog.close()
            done = f"{rollout.name}: {ACTIONS[act].lower()}, done. Shops follow with their next call."
            await self._send(lambda: self._desk.central.act_on_rollout(rollout.rollout, act, by), done)

        _buttons(dialog, "Do it", go)

    def _ask(self) -> None:
        with ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.label("Roll out a bundle").classes("panel-title")
            ui.label(
                "Each gateway checks it, tries it on its shop's last days, and falls back on its last good one by itself."
            ).classes("consequence")
            bundle = ui.select(
                {one.sha256: f"{one.name} ({one.sha256[:8]})" for one in self._bundles},
                value=self._bundles[0].sha256, label="Bundle",
            )  # fmt: skip
            bundle.props("dense outlined").classes("grow")
            mode = ui.select(_MODES, value="shadow", label="How").props("dense outlined").classes("grow")
            percent = _percent_input(10)
            refusals = ui.number(
                "Halt it by itself once so many shops refuse it", value=1, min=1, precision=0
            )
            refusals.props("dense outlined").classes("grow")
            who = who_input(self._desk.me)
            reason = ui.input("Reason").props('dense outlined maxlength="300"').classes("grow")
            problem = ui.label().classes("tone-bad")

            async def go() -> None:
                name, why = (who.value or "").strip(), (reason.value or "").strip()
                if not name or not why:
                    problem.set_text("Give your name and a reason: the audit keeps both.")
                    return
                remember(name)
                post = RolloutPost(
                    sha256=str(bundle.value), mode=RolloutMode(mode.value), percent=int(percent.value or 0),
                    max_refusals=max(1, int(refusals.value or 1)), who=name, reason=why,
                )  # fmt: skip
                dialog.close()
                done = f"Begun: {post.percent} % of the shops get it with their next call."
                await self._send(lambda: self._desk.central.begin_rollout(post), done)

            _buttons(dialog, "Begin", go)
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _send(self, act: Callable[[], Awaitable[object]], done: str) -> None:
        try:
            await act()
        except HqError as error:
            self._toast.show(f"{error.why} {error.do}", tone="bad")
            return
        self._toast.show(done)
        await self._when_changed()


def _percent_input(value: int) -> ui.number:
    field = ui.number("Share of the shops, in %", value=value, min=0, max=100, precision=0)
    return field.props("dense outlined").classes("grow")


def _buttons(dialog: ui.dialog, word: str, go: Callable[[], Awaitable[None]]) -> None:
    with ui.element("div").classes("dialog-acts"):
        ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
        ui.button(word, on_click=go).props("unelevated no-caps color=primary").classes("go")


def _show_scores(rollout: RolloutView) -> None:
    if rollout.candidate is None or rollout.current is None:
        return
    with ui.element("dl").classes("facts"):
        for name, score in ((rollout.name, rollout.candidate), (rollout.current.bundle, rollout.current)):
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(score_words(score))
    days = [day for day in rollout.days if day.current_wql is not None and day.candidate_wql is not None]
    better = sum((day.candidate_wql or 0) < (day.current_wql or 0) for day in days)
    ui.label(f"better on {better} of {len(days)} days").classes("panel-note")


def _row(rollout: RolloutView, now_ms: int) -> Row:
    word, icon, tone = state_words(rollout)
    shadow = rollout.mode is RolloutMode.SHADOW
    refused = rollout.refusals[0] if rollout.refusals else ""
    return {
        "id": str(rollout.rollout),
        "bundle": cell(rollout.name, sub="in the shadow" if shadow else "live"),
        "state": cell(word, icon=icon, tone=tone, sub=f"by {rollout.who}"),
        "share": cell(f"{rollout.percent} %", rollout.percent),
        "shops": cell(progress_words(rollout), sub=refused),
        "scores": cell(score_words(rollout.candidate), sub=rollout.advice),
        "changed": cell(ago(rollout.changed_ms, now_ms), rollout.changed_ms),
        "acts": rollout.state in (RolloutState.RUNNING, RolloutState.HALTED),
    }
