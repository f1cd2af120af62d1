"""Errors of the serial wire, named by who must act."""

from contract.errors import ContractError


class SerialWireError(ContractError):
    """Root of what this package raises."""


class MessageTooLongError(SerialWireError):
    """The sender must act: a message or field is longer than the wire carries."""

    def __init__(self, what: str, length: int, limit: int) -> None:
        super().__init__(f"{what} has {length} bytes, the limit is {limit}; send it in smaller parts")
        self.length = length
        self.limit = limit


class LinkBusyError(SerialWireError):
    """Retry later: the queue of messages to send is full."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} messages already wait to be sent; ask `can_send` first and wait for acknowledgements"
        )
        self.limit = limit


class LinkDownError(SerialWireError):
    """Retry later: there is no session; wait for SessionUp."""


class ImpossibleMoveError(SerialWireError):
    """Our own mistake: this input has no meaning in this state."""


class PeerError(SerialWireError):
    """The peer must act: it breaks the protocol. `reason` is a short constant text."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the peer broke the link protocol: {reason}")
        self.reason = reason
