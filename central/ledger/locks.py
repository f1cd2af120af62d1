"""The numbers of the advisory locks on PostgreSQL: all in one place, since two of one number would wait for each other."""

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """RELAY: gives feed positions. SENDS: the one process that sends webhooks. RUNS: shared by all that run, taken alone by commands.

    COUPONS: taken by a store's transaction that gives members coupons, until its commit.
    """

    RELAY = 4821
    SENDS = 4822
    RUNS = 4823
    COUPONS = 4824
