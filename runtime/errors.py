"""Errors of the shells, named by who must act."""

EXIT_OK = 0
EXIT_FAULT = 1
EXIT_BAD_CONFIG = 78
"""sysexits' EX_CONFIG: systemd's RestartPreventExitStatus keeps a bad setting from being retried for ever."""


class RuntimeShellError(Exception):
    """Root of what this package raises."""


class OperatorError(RuntimeShellError):
    """A person must act: a setting, a file or a permission is wrong. The message says which, and what to do."""


class RetryLaterError(RuntimeShellError):
    """Nothing is wrong with us: the other side did not answer."""


def reason_of(error: BaseException) -> str:
    """The system's words alone, such as `Connection refused`: the message around them names the path or address itself."""
    inner = getattr(error, "reason", None)  # what urllib wraps
    if isinstance(inner, BaseException):
        return reason_of(inner)
    if isinstance(error, OSError) and error.strerror and type(error).__module__ != "ssl":
        return error.strerror
    return str(error) or type(error).__name__
