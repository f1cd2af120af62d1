"""What people read of a roll-out, and which steps they are offered."""

import pytest
from fake_rows import rollout_view
from fake_shops import NOW_MS

from contract.api.rollouts import RolloutMode, RolloutState
from hq import rollout_words


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, ["promote", "halt", "roll-back"]),
        ({"percent": 10}, ["widen", "promote", "halt", "roll-back"]),
        ({"percent": 10, "mode": RolloutMode.LIVE}, ["widen", "halt", "roll-back"]),
        ({"state": RolloutState.HALTED}, ["resume", "roll-back"]),
        ({"state": RolloutState.ROLLED_BACK}, []),
        ({"state": RolloutState.PROMOTED}, []),
    ],
)
def test_only_what_the_centre_would_accept_is_offered(changes, offered):
    assert rollout_words.possible(rollout_view(NOW_MS, **changes)) == offered
    assert set(offered) <= set(rollout_words.ACTIONS) == set(rollout_words.CONSEQUENCES)


def test_every_state_has_a_word():
    for state in RolloutState:
        assert rollout_words.state_words(rollout_view(NOW_MS, state=state))[0]


def test_progress_and_scores_read_in_one_line():
    view = rollout_view(NOW_MS)
    assert rollout_words.progress_words(view) == "3 shops: 2 in the shadow, 1 refused"
    assert rollout_words.score_words(view.candidate) == "WQL 0.412, bias -3 %, 81 % in its 80 % band"
    assert rollout_words.score_words(None) == "–"
    empty = view.candidate.model_copy(update={"wql": None})
    assert rollout_words.score_words(empty) == "–"
