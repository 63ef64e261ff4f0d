"""How partitions train together."""

from dataclasses import dataclass

from sparsefm.data.validation import check_integer, check_real


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How often partitions join what they learned, and how.

    Parameters
    ----------
    per_epoch : int
        Number of rounds of an epoch. In a round each partition trains on a part of its rows, from
        parameters that all share; then their changes are joined. More rounds come closer to
        training on one machine, and cost more messages.
    outer_learning_rate : float
        The joined change of parameters is multiplied by this.
    outer_momentum : float
        Share of a feature's last step, in [0, 1), that is added to its next, whenever a row has the
        feature again.
    """

    per_epoch: int = 16
    outer_learning_rate: float = 1.0
    outer_momentum: float = 0.0

    def __post_init__(self) -> None:
        check_integer(self.per_epoch, "per_epoch", 1)
        check_real(self.outer_learning_rate, "outer_learning_rate", above=0)
        if check_real(self.outer_momentum, "outer_momentum") >= 1:
            raise ValueError(f"outer_momentum must be less than 1, got {self.outer_momentum:g}")
