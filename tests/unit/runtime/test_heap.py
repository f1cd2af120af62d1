"""What stands when a process has started is not looked through again."""

import gc

from runtime.heap import keep_what_is_loaded


def test_what_is_loaded_is_frozen_and_looks_become_rare() -> None:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        keep_what_is_loaded()
        assert gc.get_freeze_count() > max(frozen, 1000)
        assert gc.get_threshold()[0] > thresholds[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
