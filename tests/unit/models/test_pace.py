"""How far a long step is: told every few seconds, and of a short one nothing."""

from models.training.pace import Pace


def test_a_short_step_passes_without_a_word_and_a_long_one_is_told_every_five_seconds():
    now, said = [0.0], []
    pace = Pace(said.append, "forecasting", 10, "series", clock=lambda: now[0])
    for done in range(1, 11):
        now[0] += 1.5
        pace.at(done)
    assert said == ["forecasting: 4 of 10 series", "forecasting: 8 of 10 series"]
