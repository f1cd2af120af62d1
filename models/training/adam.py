"""Adam with decoupled weight decay, in numpy."""

from dataclasses import dataclass, field

import numpy as np

from models.arrays import F32


@dataclass(slots=True)
class Adam:
    """Kingma & Ba 2015, algorithm 1, with decoupled weight decay of the matrices."""

    weight_decay: float
    steps: int = 0
    first: list[F32] = field(default_factory=list)
    second: list[F32] = field(default_factory=list)

    def step(self, parameters: list[F32], gradients: list[F32], rate: float) -> None:
        if not self.first:
            self.first = [np.zeros_like(p) for p in parameters]
            self.second = [np.zeros_like(p) for p in parameters]
        self.steps += 1
        corrected = rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for p, g, m, v in zip(parameters, gradients, self.first, self.second, strict=True):
            np.add(m, 0.1 * (g - m), out=m, casting="same_kind")
            np.add(v, 0.001 * (g * g - v), out=v, casting="same_kind")
            decay = rate * self.weight_decay * p if p.ndim == 2 else 0
            np.subtract(p, decay + corrected * m / (np.sqrt(v) + 1e-8), out=p, casting="same_kind")
