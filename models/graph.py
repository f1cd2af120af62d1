"""One ONNX graph, opened for small gateways: one thread, no spinning, no memory arena."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[Any]


class Graph:
    """A loaded graph. Runs on one thread, so that equal input gives equal bits."""

    def __init__(self, content: bytes, origin: Path) -> None:
        """Raises ValueError when `content` is no graph that the runtime can load."""
        self.origin, self._content = origin, content
        self._opened: Any = self._open()

    def _open(self) -> Any:
        # Imported here: 40 MB of memory that the command line and the baseline do not need.
        import onnxruntime as ort  # noqa: PLC0415

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False  # without an arena it only keeps memory for the largest run
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return ort.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises a dozen classes of its own, none of them public
            raise ValueError(f"{type(error).__name__}: {str(error)[:200]}") from error

    def __getstate__(self) -> tuple[Path, bytes]:
        """What travels to another process: its content; it is opened there when it is first asked."""
        return self.origin, self._content

    def __setstate__(self, state: tuple[Path, bytes]) -> None:
        self.origin, self._content = state
        self._opened = None

    @property
    def _session(self) -> Any:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def rest(self) -> None:
        """Frees what the runtime holds of it (0.7 MB of a small graph); the next question opens it again."""
        self._opened = None

    @property
    def input_shapes(self) -> dict[str, list[int | str | None]]:
        return {node.name: list(node.shape) for node in self._session.get_inputs()}

    @property
    def output_names(self) -> list[str]:
        return [node.name for node in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Raises ValueError when the graph cannot compute these inputs."""
        names = self.output_names
        try:
            outputs = self._session.run(names, dict(inputs))
        except Exception as error:  # as above: classes of the runtime's own
            raise ValueError(f"{self.origin.name}: {type(error).__name__}: {str(error)[:200]}") from error
        return {name: np.asarray(value) for name, value in zip(names, outputs, strict=True)}
