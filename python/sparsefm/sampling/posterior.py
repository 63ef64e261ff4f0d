"""The model that sampling gives: predictions are means over samples of the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.data.validation import as_array, check_choice, check_flag, check_integer, check_real
from sparsefm.history import Epoch
from sparsefm.io.container import Arrays
from sparsefm.io.file import write_file
from sparsefm.io.half import check_half
from sparsefm.io.reader import Reader
from sparsefm.io.replacing import FilePath
from sparsefm.losses.names import DEFAULT_LOSS
from sparsefm.model import Model, finite_scores, history_to_json, read_history
from sparsefm.sampling import normal
from sparsefm.sampling.compression import LOGIT_OF_PROBIT, mean_factors
from sparsefm.sampling.samples import Progress, Sample, Thinned
from sparsefm.sampling.saving import read_samples, samples_to_content
from sparsefm.threads import resolve_threads

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float64]

ROWS_AT_ONCE = 1 << 14  # bounds temporary copies
TINY = 1e-300  # a probability of zero counts as this


class SampledModel(Model):
    r"""A factorization machine whose parameters were sampled from their posterior distribution.

    It is a `Model`, and so has ``save``, ``predict`` and ``score``. Its predictions are means over
    the samples: of the score for regression, and of the probability :math:`\Phi(s(x))` for two
    classes. ``score`` then returns the log-odds of that mean, so that ``predict`` is its sigmoid.
    For ordered classes ``predict`` returns the mean probability of each, and ``score`` the mean of
    the latent score.

    The mean of the samples' scores is the score of one factorization machine of rank S k for S
    samples of rank k. Its parameters are `w0`, `w` and `V`; they are made when asked for, and take
    as much memory as the samples.

    Attributes
    ----------
    samples : tuple of Sample
        In units of standardised targets.
    offset, scale : float
        The score of a sample is offset + scale * (its score in these units).
    progress : Progress
        Lets ``train(init=model, solver=Gibbs(...))`` continue sampling.
    """

    samples: tuple[Sample, ...]
    offset: float
    scale: float
    progress: Progress

    def __init__(
        self,
        samples: Sequence[Sample],
        offset: float,
        scale: float,
        task: str,
        progress: Progress,
        history: tuple[Epoch, ...] = (),
    ) -> None:
        loss = DEFAULT_LOSS[task]
        vars(self).update(
            samples=tuple(samples), offset=offset, scale=scale, progress=progress
        )  # the class is frozen
        vars(self).update(task=task, loss=loss, history=history)

    def _kept(self, limit: int) -> Thinned:
        """Return the samples for more of them to be added; at most `limit` sweeps are kept."""
        chains = len(self.progress.chains)
        sweeps = [self.samples[i : i + chains] for i in range(0, len(self.samples), chains)]
        kept = Thinned(limit, self.progress.stride, self.progress.added, list(sweeps))
        while len(kept.kept) > limit:
            kept.thin()
        return kept

    # --- the mean of the samples as one model ---------------------------------------------------

    @property
    def w0(self) -> float:
        """Bias of the mean."""
        return self.offset + self.scale * float(np.mean([sample.w0 for sample in self.samples]))

    @property
    def w(self) -> Array:
        """Linear weights of the mean, shape (d,)."""
        if "_w" not in vars(self):
            mean = np.mean([sample.w for sample in self.samples], axis=0, dtype=np.float64)
            vars(self)["_w"] = (self.scale * mean).astype(self.dtype)
        return vars(self)["_w"]  # type: ignore[no-any-return]

    @property
    def V(self) -> Array:
        """Factors of the mean, shape (d, S k)."""
        if "_V" not in vars(self):
            factors = np.concatenate([sample.V for sample in self.samples], axis=1)
            factors *= np.sqrt(self.scale / len(self.samples))
            vars(self)["_V"] = factors
        return vars(self)["_V"]  # type: ignore[no-any-return]

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return len(self.samples[0].w)

    @property
    def rank(self) -> int:
        """Number of factors of each feature in a sample."""
        return int(self.samples[0].V.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters, and of the arithmetic."""
        return self.samples[0].V.dtype

    def __repr__(self) -> str:
        return (
            f"SampledModel(task={self.task!r}, samples={len(self.samples)}, "
            f"n_features={self.n_features}, rank={self.rank}, dtype={self.dtype}, "
            f"epochs={len(self.history)})"
        )

    # --- predictions ----------------------------------------------------------------------------

    def predict(self, X: Any, *, return_std: bool = False, n_threads: int | None = None) -> Any:
        """Return the predictions, shape (n_rows,): means over the samples.

        For ordered classes they are the probabilities of each, shape (n_rows, n_classes).

        Parameters
        ----------
        X : sparse matrix, sparse array or array-like of shape (n_rows, n_features)
        return_std : bool
            Also return standard deviations: for regression those of the targets, see `predict_std`;
            for classes those of the probability over the samples.
        n_threads : int, optional
            Default: every core that the process may use.

        Returns
        -------
        ndarray of shape (n_rows,), or two of them
        """
        return_std = check_flag(return_std, "return_std")
        mean = super().predict(X, n_threads=n_threads)
        if not return_std:
            return mean
        if self.task == "regression":
            noise, parameters = self.predict_std(X, n_threads=n_threads)
            return mean, np.hypot(noise, parameters).astype(self.dtype)
        std = self._moments(X, n_threads, normal.class_probabilities)[1]
        return mean, std[:, 1] if self.task == "binary" else std

    def score(self, X: Any, *, n_threads: int | None = None) -> Array:
        """Return the scores, shape (n_rows,), in the model's dtype.

        They are the mean scores of the samples; for two classes the log-odds of the mean
        probability.
        """
        if self.task != "ordinal":
            return super().score(X, n_threads=n_threads)
        return self._moments(X, n_threads, _only_scores)[0].astype(self.dtype)

    def predict_std(self, X: Any, *, n_threads: int | None = None) -> tuple[Float, Float]:
        """Return the two parts of a prediction's standard deviation, each of shape (n_rows,).

        The first is that of the noise, which more training rows do not reduce, and the same for all
        rows. The second is that of the score over the samples: what is not known about the
        parameters. The variance of a target is the sum of both squares. With classes the score is
        in the units of a probit model, whose noise is 1.
        """
        _, parameters = self._moments(X, n_threads, _only_scores)
        noise = np.sqrt(np.mean([sample.noise**2 for sample in self.samples]))
        return np.full(len(parameters), self.scale * noise), parameters

    def predict_quantiles(
        self,
        X: Any,
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        *,
        n_threads: int | None = None,
    ) -> Float:
        """Return quantiles of the targets' predictive distribution, for regression.

        The distribution is the mixture, over the samples, of normal distributions around each
        sample's score. A 90% interval is that from 0.05 to 0.95.

        Parameters
        ----------
        X : sparse matrix, sparse array or array-like of shape (n_rows, n_features)
        quantiles : sequence of float
            Each in (0, 1).
        n_threads : int, optional

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles)
        """
        if self.task != "regression":
            raise ValueError("quantiles are those of a number: the model is one of classes")
        given = np.atleast_1d(as_array(quantiles, "quantiles"))
        levels = np.array([_check_level(level) for level in given])
        scores = np.stack([*self._sample_scores(self._checked(X), resolve_threads(n_threads))])
        noises = self.scale * np.array([sample.noise for sample in self.samples])
        parts = [
            _mixture_quantiles(scores[:, begin : begin + ROWS_AT_ONCE], noises, levels)
            for begin in range(0, scores.shape[1], ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(levels)))

    def compress(self, rank: int | None = None) -> Model:
        """Return a `Model` of a small rank that predicts about the same, quickly.

        Its bias and linear weights are those of the mean, and its factors the best for the mean of
        the samples' pairs at this rank; features that the rows have determined well weigh more.
        For two classes its scores, times 1.6, stand for log-odds. There are no standard deviations
        and no quantiles any more.

        Parameters
        ----------
        rank : int, optional
            Its rank. Default: twice that of a sample. It is at most that of the mean, S k.

        Raises
        ------
        ValueError
            For ordered classes, which only a `SampledModel` has.
        """
        if self.task == "ordinal":
            raise ValueError("ordered classes need samples, for the cuts between them")
        rank = check_integer(2 * self.rank if rank is None else rank, "rank", 0)
        factors = mean_factors(self.samples, min(rank, self.rank * len(self.samples)))
        unit = LOGIT_OF_PROBIT if self.task == "binary" else 1.0
        w = (unit * self.w).astype(self.dtype)
        V = (np.sqrt(unit * self.scale) * factors).astype(self.dtype)
        return Model(unit * self.w0, w, V, self.task, self.loss, self.history)

    def save(self, path: FilePath, *, dtype: str | None = None) -> None:
        """Write the samples, the state of the chains and the history to a file; see `Model.save`.

        The file is as large as the samples: S (k + 1) numbers for each feature.
        """
        write_file(path, *self._content(check_half(dtype)))

    def _content(self, dtype: str | None = None) -> tuple[dict[str, Any], Arrays]:
        """Return what `save` writes."""
        header, arrays = samples_to_content(self.samples, self.progress, dtype)
        header |= {"kind": "sampled model", "task": self.task, "offset": self.offset}
        header |= {"scale": self.scale, "history": history_to_json(self.history)}
        return header, arrays

    @classmethod
    def _from_file(cls, reader: Reader) -> SampledModel:
        """Return the model that `save` wrote."""
        task = check_choice(reader.entry("task", str), "task", tuple(DEFAULT_LOSS))
        samples, progress = read_samples(reader, reader, task)
        offset, scale = reader.real("offset"), reader.real("scale", above=0.0)
        return cls(samples, offset, scale, task, progress, read_history(reader))

    def _score_csr(self, X: _core.Csr, threads: int) -> Array:
        mean = Mean(self.task)
        for sample, scores in zip(self.samples, self._sample_scores(X, threads), strict=True):
            mean.add(scores, sample.cuts)
        return mean.scores().astype(self.dtype)

    def _checked(self, X: Any) -> _core.Csr:
        if isinstance(X, _core.Csr):
            return X
        return as_csr(X, self.dtype, n_features=self.n_features)

    def _sample_scores(self, X: _core.Csr, threads: int) -> Iterator[Float]:
        """Yield the scores of each sample in the user's units, shape (n_rows,)."""
        for sample in self.samples:
            yield self.offset + self.scale * scores_of(sample, X, threads)

    def _moments(self, X: Any, n_threads: int | None, function: Any) -> tuple[Float, Float]:
        """Return mean and standard deviation over the samples of a function of scores and cuts."""
        threads, matrix = resolve_threads(n_threads), self._checked(X)
        mean, squares = np.zeros(()), np.zeros(())
        scores_of_samples = self._sample_scores(matrix, threads)
        for count, scores in enumerate(scores_of_samples, 1):  # Welford's method
            values = function(scores, self.samples[count - 1].cuts)
            change = values - mean
            mean = mean + change / count
            squares = squares + change * (values - mean)
        return mean, np.sqrt(squares / max(len(self.samples) - 1, 1))


class Mean:
    """The running mean of predictions over samples.

    Parameters
    ----------
    task : {"regression", "binary", "ordinal"}
        Means are of scores, or of the probabilities of the classes.

    Attributes
    ----------
    count : int
    sum : ndarray of shape (n_rows,), or (n_rows, n_classes) for probabilities
        Of shape () before there are samples.
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self.count = 0
        self.sum: Float = np.zeros(())  # never changed in place

    def add(self, scores: Float, cuts: Float) -> None:
        """Add the scores of a sample, shape (n_rows,), with its cuts between the classes."""
        numbers = self._task == "regression"
        self.sum = self.sum + (scores if numbers else normal.class_probabilities(scores, cuts))
        self.count += 1

    def copy(self) -> Mean:
        """Return a copy."""
        return Mean.of(self._task, self.count, self.sum)

    @classmethod
    def of(cls, task: str, count: int, total: Float) -> Mean:
        """Return the mean over `count` samples, given the sum of their predictions."""
        mean = cls(task)
        mean.count, mean.sum = count, total
        return mean

    def scores(self) -> Float:
        """Return the scores that a `Loss` predicts from.

        That is the mean score; for two classes the log-odds of the mean probability; for ordered
        classes the logarithms of the mean probabilities, shape (n_rows, n_classes).
        """
        if self._task == "regression":
            return self.sum / self.count
        logs = np.log(np.maximum(self.sum, TINY))
        if self._task == "binary":
            return np.asarray(logs[:, 1] - logs[:, 0])
        return np.asarray(logs - np.log(self.count))


def scores_of(sample: Sample, X: _core.Csr, threads: int) -> Float:
    """Return the scores of a sample, in its own units; raise if one is not finite."""
    return finite_scores(X, sample.w0, sample.w, sample.V, threads).astype(np.float64)


def _only_scores(scores: Float, cuts: Float) -> Float:
    return scores


def _check_level(level: Any) -> float:
    level = check_real(level, "each of quantiles", above=0)
    if level >= 1:
        raise ValueError(f"each of quantiles must be less than 1, got {level:g}")
    return float(level)


def _mixture_quantiles(scores: Float, noises: Float, levels: Float) -> Float:
    """Return quantiles of mixtures of normal distributions by bisection, shape (n_rows, n_levels).

    Parameters
    ----------
    scores : array of shape (n_samples, n_rows)
        Means of the mixtures' parts.
    noises : array of shape (n_samples,)
        Their standard deviations.
    levels : array of shape (n_levels,)
    """
    # A quantile of a mixture lies between those of its parts.
    of_parts = scores[:, :, None] + noises[:, None, None] * normal.quantile(levels)
    low, high = of_parts.min(axis=0), of_parts.max(axis=0)
    for _ in range(30):
        middle = (low + high) / 2
        share = np.zeros_like(middle)
        for mean, noise in zip(scores, noises, strict=True):
            share += normal.cdf((middle - mean[:, None]) / noise)
        below = share / len(noises) < levels
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
