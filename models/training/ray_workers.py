"""Workers of a Ray cluster: each part is one task of one core."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from models.errors import ModelsError

if TYPE_CHECKING:
    from collections.abc import Iterator


class RayMissingError(ModelsError):
    """The operator must act: the extra `ray` is not installed, or no cluster answers."""


class RayWorkers:
    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def map(self, function: Callable[..., Any], items: Sequence[tuple[Any, ...]]) -> list[Any]:
        task = self._ray.remote(num_cpus=1)(function)
        return list(self._ray.get([task.remote(*item) for item in items]))

    def shared(self, value: object) -> Any:
        return self._ray.put(value)


@contextmanager
def ray_workers(address: str) -> "Iterator[RayWorkers]":
    """Workers of the cluster at `address` (host:port, ray://…, `auto`, or `local` for one of this machine).

    The nodes need Shelfloop with the extra `ray`, of the same version. Raises RayMissingError.
    """
    try:
        import ray  # noqa: PLC0415 - heavy, and only clusters need it
    except ModuleNotFoundError:
        raise RayMissingError(
            "--ray needs Ray; in a clone: pip install -c constraints.txt '.[ray]'"
        ) from None
    try:
        ray.init(
            address=None if address == "local" else address, log_to_driver=False, configure_logging=False
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RayMissingError(f"--ray {address}: {error}; start the cluster, or give its address") from None
    try:
        yield RayWorkers(ray)
    finally:
        ray.shutdown()
