"""What a roll-out's figures mean in words: what can be done with it, how far it is, what its scores say."""

from contract.api.rollouts import RolloutMode, RolloutState, RolloutView, ScoreView
from hq.words import UNKNOWN, counted

ACTIONS = {
    "widen": "Widen",
    "halt": "Halt",
    "resume": "Go on",
    "promote": "Promote",
    "roll-back": "Roll back",
}
CONSEQUENCES = {
    "widen": "More shops get the bundle with their next call, the same ones on every such click; nobody loses it.",
    "halt": "No further shop gets it. Those that have it keep it. You can go on at any time.",
    "resume": "The shops of its share that have not got it yet get it with their next call.",
    "promote": "It forecasts and orders from now on in the share of shops below; its time in the shadow ends.",
    "roll-back": "All shops return to what they had before, which still lies on their disks. It cannot be resumed.",
}
_STATES = {
    RolloutState.RUNNING: ("running", "play_circle", "ok"),
    RolloutState.HALTED: ("halted", "pause_circle", "bad"),
    RolloutState.ROLLED_BACK: ("rolled back", "undo", "quiet"),
    RolloutState.PROMOTED: ("promoted", "check_circle", "quiet"),
}
_SAID = {
    "good": "good",
    "applied": "on trial",
    "shadow": "in the shadow",
    "staged": "on disk",
    "waiting": "not yet",
    "refused": "refused",
    "reverted": "taken back",
}


def possible(rollout: RolloutView) -> list[str]:
    """What the centre would accept now, in the order in which people think of it."""
    shadow = rollout.mode is RolloutMode.SHADOW
    if rollout.state is RolloutState.RUNNING:
        wider = ["widen"] if rollout.percent < 100 else []
        return [*wider, *(["promote"] if shadow else []), "halt", "roll-back"]
    return ["resume", "roll-back"] if rollout.state is RolloutState.HALTED else []


def state_words(rollout: RolloutView) -> tuple[str, str, str]:
    """(word, icon, tone)."""
    return _STATES[rollout.state]


def progress_words(rollout: RolloutView) -> str:
    """Such as `12 shops: 9 good, 3 not yet`."""
    parts = [f"{rollout.by_state[key]} {word}" for key, word in _SAID.items() if rollout.by_state.get(key)]
    return f"{counted(rollout.stores, 'shop')}" + (f": {', '.join(parts)}" if parts else "")


def score_words(score: ScoreView | None) -> str:
    """Such as `WQL 0.412, bias -3 %, 81 % in its 80 % band`."""
    if score is None or score.wql is None:
        return UNKNOWN
    parts = [f"WQL {score.wql:.3f}"]
    if score.bias is not None:
        parts.append(f"bias {100 * score.bias:+.0f} %")
    if score.coverage_80 is not None:
        parts.append(f"{100 * score.coverage_80:.0f} % in its 80 % band")
    return ", ".join(parts)
