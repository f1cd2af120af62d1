"""What can go wrong between HQ and the centre, by who must act."""


class HqError(Exception):
    """Root of what this package raises. `what` failed, `why`, and what to `do` next, each a sentence for a person."""

    def __init__(self, what: str, why: str, do: str) -> None:
        super().__init__(f"{what}: {why} {do}")
        self.what, self.why, self.do = what, why, do


class CentralAwayError(HqError):
    """The centre does not answer: try again; nothing is lost, for HQ keeps nothing."""


class CentralRefusedError(HqError):
    """The centre answered, and said no: a person must act. status: of the HTTP answer."""

    def __init__(self, what: str, why: str, do: str, status: int) -> None:
        super().__init__(what, why, do)
        self.status = status


class CentralGarbledError(HqError):
    """The centre answered something that the contract does not know: the versions differ."""
