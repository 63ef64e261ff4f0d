"""How many partitions there are, and how they train together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from sparsefm.data.validation import check_integer, check_real

LEAST_ROWS = 1600  # of a partition: with fewer, it sees too little of what it does
MANY_ROWS = 10_000_000  # of a partition: a round costs up to 0.5 s, an epoch of so many some 40 s

ROUNDS_OF_A_PARTITION = 32  # of an epoch, for each partition but one
MOST_ROUNDS = 512
LEAST_BATCH = 16  # rows: a partition has so many in a round, on average, or more
MOST_ROWS_OF_A_CELL = 1_000_000  # those of a partition in a round: they are one piece of memory


def partitions_for(n_rows: int, asked: int | None, n_workers: int, rounds: Rounds) -> int:
    """Return by how many the rows are divided: as many as asked for, or as there are workers."""
    if asked is None:
        return max(1, min(n_workers, n_rows // MANY_ROWS))
    return max(1, min(asked, n_rows // max(LEAST_ROWS, LEAST_BATCH * (rounds.per_epoch or 1))))


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How often partitions join what they learned, and how.

    Parameters
    ----------
    per_epoch : int, optional
        Number of rounds of an epoch. In a round each partition trains on a part of its rows, from
        parameters that all share; then their changes are joined. More rounds come closer to
        training on one machine, and cost more messages. Default: 32 for each partition but the
        first, at most 512, and less if a partition would have less than 16 rows in a round, on
        average; of `Adam`, at most one for each batch that one machine has; with one partition,
        one for each million rows.
    outer_learning_rate : float
        The joined change of parameters is multiplied by this.
    outer_momentum : float
        Share of a feature's last step, in [0, 1), that is added to its next, whenever a row has the
        feature again.
    """

    per_epoch: int | None = None
    outer_learning_rate: float = 1.0
    outer_momentum: float = 0.0

    def __post_init__(self) -> None:
        if self.per_epoch is not None:
            check_integer(self.per_epoch, "per_epoch", 1)
        check_real(self.outer_learning_rate, "outer_learning_rate", above=0)
        if check_real(self.outer_momentum, "outer_momentum") >= 1:
            raise ValueError(f"outer_momentum must be less than 1, got {self.outer_momentum:g}")

    def chosen_for(self, n_rows: int, n_partitions: int, least: int = 1) -> Rounds:
        """Return these settings, with a number of rounds if it is left open.

        Parameters
        ----------
        n_rows, n_partitions : int
        least : int
            How many rows a round must have, on average.

        Notes
        -----
        A partition trains on a part of the round's rows, as if it were all of them, so its
        parameters are noisier than those of one machine; only the mean over the partitions is not.
        Factors are multiplied with each other, so the noise within a round has to be small beside
        them. What there is more of it than on one machine has a variance proportional to
        (partitions - 1) / rounds.
        """
        if self.per_epoch is not None:
            return self
        rows = n_rows / n_partitions
        most = min(MOST_ROUNDS, rows // LEAST_BATCH, n_rows // least)
        wanted = min(ROUNDS_OF_A_PARTITION * (n_partitions - 1), most)
        return replace(self, per_epoch=max(1, int(wanted), ceil(rows / MOST_ROWS_OF_A_CELL)))
