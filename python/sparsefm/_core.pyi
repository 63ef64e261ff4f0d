from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[Any]  # float32 or float64, one type throughout a call

isa_levels: list[str]
isa: str
compiler: str
eigen_version: str
openmp_version: int

class SolverLike(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def moments(self) -> int: ...
    @property
    def l2_linear(self) -> float: ...
    @property
    def l2_factors(self) -> float: ...

class Csr:
    def __init__(
        self,
        indptr: npt.NDArray[np.int32] | npt.NDArray[np.int64],
        indices: npt.NDArray[np.int32],
        values: Real | None,
        n_features: int,
        name: str,
    ) -> None: ...
    def features_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_nonzeros(self) -> int: ...
    @property
    def indptr(self) -> npt.NDArray[Any]: ...
    @property
    def indices(self) -> npt.NDArray[np.int32]: ...
    @property
    def values(self) -> Real | None: ...
    @property
    def canonical(self) -> bool: ...
    @property
    def all_ones(self) -> bool: ...

class TrainingRun:
    def __init__(
        self,
        X: Csr,
        rows: npt.NDArray[np.int64],
        targets: Real,
        weights: Real | None,
        batch_size: int,
        loss: str,
        bias: Real,
        scalars: Real,
        factors: Real,
        solver: SolverLike,
        threads: int,
    ) -> None: ...
    @property
    def n_batches(self) -> int: ...
    def plan(self, batches: npt.NDArray[np.int64]) -> None: ...
    def forget(self, batches: npt.NDArray[np.int64]) -> None: ...
    def count_planned(self, batches: npt.NDArray[np.int64], budget: int) -> int: ...
    def begin_segment(self, order: npt.NDArray[np.int64], t: int, learning_rate: float) -> None: ...
    def run(self, begin: int, end: int, loss: float) -> float: ...

def forward(
    scores: npt.NDArray[Any],
    X: Csr,
    first: int,
    w0: float,
    w: npt.NDArray[Any],
    V: npt.NDArray[Any],
    threads: int,
) -> None: ...
def backward(
    X: Csr, slopes: Real, w: Real, V: Real, threads: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]: ...
def adam_update(
    theta: npt.NDArray[Any],
    gradient: npt.NDArray[Any],
    moment1: npt.NDArray[Any],
    moment2: npt.NDArray[Any],
    t: int,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None: ...
def loss_values(loss: str, targets: Real, scores: Real) -> npt.NDArray[Any]: ...
def loss_slopes(loss: str, targets: Real, scores: Real) -> npt.NDArray[Any]: ...
