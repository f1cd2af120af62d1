"""Errors of the centre, named by who must act. Each becomes one problem+json answer."""


class CentralError(Exception):
    """Root of what this package raises. status: the HTTP status it becomes; title: its short name."""

    status = 500
    title = "The centre failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class SenderError(CentralError):
    """The sender must act: the request does not say what the API promises."""

    status, title = 422, "The request makes no sense here"


class UnauthorizedError(CentralError):
    status, title = 401, "No valid key or token"


class ForbiddenError(CentralError):
    status, title = 403, "Not allowed with this key or token"


class NotFoundError(CentralError):
    status, title = 404, "Not found"


class ConflictError(CentralError):
    status, title = 409, "Not possible in this state"


class TooLargeError(CentralError):
    status, title = 413, "Request too large"


class TooManyError(CentralError):
    """The caller must slow down. retry_after_s: when the next request is taken."""

    status, title = 429, "Too many requests"

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class BusyError(CentralError):
    """Nothing is wrong with the request: the queue to the ledger is full. Send again."""

    status, title = 503, "The centre is busy"
