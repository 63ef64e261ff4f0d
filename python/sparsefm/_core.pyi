from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[Any]  # float32 or float64, one type throughout a call

isa_levels: list[str]
isa: str
compiler: str
eigen_version: str
openmp_version: int

class Described(NamedTuple):
    core_name: str
    core_constants: dict[str, float]

def described(setting: Any) -> Described: ...

class Csr:
    def __init__(
        self,
        indptr: npt.NDArray[np.int32] | npt.NDArray[np.int64],
        indices: npt.NDArray[np.int32],
        values: Real | None,
        n_features: int,
        name: str,
        all_ones: bool | None = None,
    ) -> None: ...
    def features_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]: ...
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

class Text:
    def __init__(
        self,
        text: npt.NDArray[np.uint8],
        dtype: np.dtype[Any],
        fields: bool,
        qid: bool,
        least: int,
        most: int,
        threads: int,
        chunk: int = ...,
    ) -> None: ...
    @property
    def n_lines(self) -> int: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def n_entries(self) -> int: ...
    @property
    def n_bad(self) -> int: ...
    @property
    def n_bytes(self) -> int: ...
    @property
    def all_ones(self) -> bool: ...
    @property
    def smallest(self) -> int: ...
    @property
    def largest(self) -> int: ...
    @property
    def first_bad(self) -> tuple[int, int, int, int, str] | None: ...
    def copy_to(
        self,
        row: int,
        entry: int,
        base: int,
        labels: npt.NDArray[np.float64],
        indptr: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int32],
        values: Real | None,
        queries: npt.NDArray[np.int64] | None,
        threads: int,
    ) -> None: ...
    def merge_fields(self, field_of: npt.NDArray[np.int32]) -> tuple[int, int, int, int] | None: ...

class Plan:
    def __init__(
        self,
        X: Csr,
        rows: npt.NDArray[np.int64],
        weights: Real | None,
        batch_size: int,
        dtype: np.dtype[Any],
    ) -> None: ...
    @property
    def n_batches(self) -> int: ...
    @property
    def n_bytes(self) -> int: ...
    def bytes_of(self, batches: npt.NDArray[np.int64]) -> int: ...
    def transpose(self, batches: npt.NDArray[np.int64], threads: int) -> None: ...
    def forget(self, batches: npt.NDArray[np.int64]) -> None: ...
    def count_within(self, batches: npt.NDArray[np.int64], budget: int) -> int: ...

class Ranker:
    def __init__(
        self,
        loss: str,
        optimizer: Described,
        bias: Real,
        scalars: Real,
        factors: Real,
        contexts: Csr,
        items: Csr,
        positives: tuple[Any, ...],
        known: tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]],
        table: tuple[Any, Any, Any],
        seed: int,
        negatives: int,
        batch_size: int,
        threads: int,
    ) -> None: ...
    def run(
        self,
        order: npt.NDArray[np.int64],
        epoch: int,
        begin: int,
        end: int,
        t: int,
        learning_rate: float,
        loss: float,
    ) -> float: ...

class Trainer:
    @overload
    def __init__(
        self,
        loss: Described,
        optimizer: Described,
        bias: Real,
        scalars: Real,
        factors: Real,
        threads: int,
        pairs: tuple[npt.NDArray[np.int32], Real, Real] | None = None,
        blocks: tuple[npt.NDArray[np.int32], int, int] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self, optimizer: Described, bias: Real, vectors: Real, features: Real, threads: int
    ) -> None: ...
    def penalise(self, l2_linear: Real | None, l2_factors: Real) -> None: ...
    def begin_segment(
        self,
        plan: Plan,
        targets: Real,
        order: npt.NDArray[np.int64],
        t: int,
        learning_rate: float,
    ) -> None: ...
    def run(self, begin: int, end: int, loss: float) -> float: ...

def dependence(
    key: int,
    X: Csr,
    fields: npt.NDArray[np.int32],
    entries: npt.NDArray[np.int64],
    least: int,
    budget: int,
) -> tuple[
    int, tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint8]] | None
]: ...

class Gibbs:
    def __init__(
        self,
        X: Csr,
        y: Real,
        weights: Real | None,
        fields: npt.NDArray[np.int32],
        settings: Described,
        w0: Real,
        w: Real,
        V: Real,
        alpha: npt.NDArray[np.float64],
        means: npt.NDArray[np.float64],
        precisions: npt.NDArray[np.float64],
        cuts: npt.NDArray[np.float64],
        seed: int,
        chain: int,
        relations: tuple[tuple[Csr, npt.NDArray[np.int32]], ...] = ...,
    ) -> None: ...
    def sweep(self, t: int, threads: int) -> float: ...

class AllPairs:
    def __init__(
        self,
        contexts: Csr,
        items: Csr,
        positives: Csr,
        penalties: npt.NDArray[np.float64],
        alpha: float,
        w0: Real,
        w: Real,
        V: Real,
    ) -> None: ...
    def epoch(self, threads: int) -> float: ...
    def objective(self, threads: int) -> float: ...

def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]: ...
def normal_draws(out: npt.NDArray[np.float64], seed: int, sweep: int) -> None: ...
def gamma_draws(out: npt.NDArray[np.float64], shape: float, seed: int, sweep: int) -> None: ...
def normal_draw_above(above: float, u: float) -> float: ...
def normal_draw_between(a: float, b: float, u: float) -> float: ...
def normal_interval(a: float, b: float) -> list[float]: ...
def class_scores(
    scores: Real, X: Csr, first: int, bias: Real, vectors: Real, features: Real, threads: int
) -> None: ...
def refresh_norms(scalars: Real, factors: Real, features: npt.NDArray[np.int64] | None) -> None: ...
def forward(
    scores: npt.NDArray[Any],
    X: Csr,
    first: int,
    w0: float,
    w: npt.NDArray[Any],
    V: npt.NDArray[Any],
    threads: int,
) -> None: ...
def field_scores(
    scores: npt.NDArray[Any],
    X: Csr,
    first: int,
    w0: float,
    w: npt.NDArray[Any],
    V: npt.NDArray[Any],
    field_of: npt.NDArray[np.int32],
    weights: npt.NDArray[Any],
    threads: int,
) -> None: ...
def field_aware_scores(
    scores: npt.NDArray[Any],
    X: Csr,
    first: int,
    w0: float,
    w: npt.NDArray[Any],
    V: npt.NDArray[Any],
    field_of: npt.NDArray[np.int32],
    n_fields: int,
    size: int,
    threads: int,
) -> None: ...

item_lanes: int

def top_items(
    found: npt.NDArray[np.int64],
    scores: Real,
    blocks: Real,
    queries: Real,
    offsets: npt.NDArray[np.int64],
    excluded: npt.NDArray[np.int32],
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
def loss_values(loss: Described, targets: Real, scores: Real) -> npt.NDArray[Any]: ...
def loss_slopes(loss: Described, targets: Real, scores: Real) -> npt.NDArray[Any]: ...
def keep_helpers(always: bool) -> None: ...
