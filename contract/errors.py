"""Errors of the wire, named by who must act."""


class ContractError(Exception):
    """Root of what this package raises."""


class MalformedMessageError(ContractError):
    """The sender must act: the message does not say what the wire promises.

    what: the thing that is wrong, such as `weight event of device shelf-1`.
    why: which field, its limit and what to send instead.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
