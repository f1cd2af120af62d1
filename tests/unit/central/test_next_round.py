"""Where transactions may not span stores: the jobs of a round find what the transaction that asked for them wrote."""

import pytest
from central_rows import START_MS
from ledger_kinds import POSTGRESQL
from local_postgresql import why_absent
from test_ledger import STORE, bench

from central.context import CHAIN

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent())


@pytest.mark.parametrize("writes", [True, False])
def test_a_rounds_jobs_come_after_the_commit_and_not_after_a_roll_back(writes: bool) -> None:
    with bench(POSTGRESQL) as made:
        centre = made.centre
        for is_kept in (False, True):
            transaction = centre.writer.transaction(START_MS)
            try:
                transaction.hold(CHAIN)
                if writes:
                    transaction.connection.exec_driver_sql("UPDATE meta SET value = value")
                centre._for_each(transaction, [STORE, STORE], lambda _work: None)
                assert centre.rounds.waiting == 0, "another lane could take it before the commit"
                if is_kept:
                    transaction.commit()
            finally:
                transaction.close()
            assert centre.rounds.waiting == (2 if is_kept else 0)
