"""How partitions train together."""

from dataclasses import dataclass, replace

from sparsefm.data.validation import check_integer, check_real

ROUNDS_OF_A_PARTITION = 16  # rounds of an epoch, for each partition that there is
MOST_ROUNDS = 256
ROWS_OF_A_ROUND = 32  # of a partition, at least


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How often partitions join what they learned, and how.

    Parameters
    ----------
    per_epoch : int, optional
        Number of rounds of an epoch. In a round each partition trains on a part of its rows, from
        parameters that all share; then their changes are joined. More rounds come closer to
        training on one machine, and cost more messages. Default: 16 times the number of
        partitions, at most 256, and less if a partition would have less than 32 rows in a round.
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

    def chosen_for(self, n_rows: int, n_partitions: int) -> "Rounds":
        """Return these settings, with a number of rounds if it is left open.

        The rows that a partition trains on in a round are fewer than all, so its changes are
        noisier, the more so the more partitions there are; and only their mean over the partitions
        is less noisy. A factor's noise within a round must be small beside the factor. It is
        proportional to the root of partitions / rounds, so the rounds grow with the partitions.
        """
        if self.per_epoch is not None:
            return self
        most = min(MOST_ROUNDS, n_rows // (n_partitions * ROWS_OF_A_ROUND))
        return replace(self, per_epoch=max(1, min(ROUNDS_OF_A_PARTITION * n_partitions, most)))
