"""Training by sweeps over the features: chains of a sampler, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.reader import Reader, add_prefix
from sparsefm.io.values import to_json
from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.sampling import normal
from sparsefm.sampling.chain import Chain
from sparsefm.sampling.design import Outline
from sparsefm.sampling.diagnostics import UNKNOWN, summary
from sparsefm.sampling.posterior import Mean, SampledModel, scores_of
from sparsefm.sampling.samples import Progress, Sample, Thinned
from sparsefm.sampling.saving import check_like, read_samples, samples_to_content
from sparsefm.sampling.solvers import Sweeper
from sparsefm.training.chains import Chains, chain_numbers
from sparsefm.training.loop import Run
from sparsefm.training.resuming import START, TRAINED, Content, Snapshot, checksum
from sparsefm.training.start import Start

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float64]

MORE_DRAWS = 1.1  # times as many as before, and the chains are compared again


class SamplingRun(Run):
    """A training with `Gibbs` or `ALS`.

    Parameters
    ----------
    dataset : Dataset
        Or what `chains` takes instead.
    validation : Dataset or None
        Rows whose running mean of predictions is kept.
    solver : Gibbs or ALS
    loss : Loss
    start : Start
    seed : int
    threads : int
    going_on : sequence of SampledModel
        Sampling continues where that of these models, one for each output, ended.
    loss_unit : float
        Losses are multiplied by this to be in the user's units.
    model : callable, optional
        Returns the current model, for callbacks; default: that of the first output.
    chains : callable
        Returns `Chains`, or what moves chains elsewhere.
    """

    def __init__(
        self,
        dataset: Any,
        validation: Dataset | None,
        solver: Sweeper,
        loss: Loss,
        start: Start,
        *,
        seed: int,
        threads: int,
        going_on: Sequence[SampledModel] = (),
        loss_unit: float = 1.0,
        model: Callable[[], Any] | None = None,
        chains: Callable[..., Any] = Chains,
    ) -> None:
        super().__init__(model or (lambda: self.models()[0]))
        self._solver, self._loss, self._threads = solver, loss, threads
        self._loss_unit = loss_unit
        self._seed = going_on[0].progress.seed if going_on else seed % 2**64
        if going_on:
            start = replace(start, rank=going_on[0].rank)
        self._moved = chains(dataset, solver, loss, start, self._seed, threads)
        self._n_features, self._features = self._moved.n_features, self._moved.features
        if validation is not None and self._has_unused:
            validation = validation.with_features(self._features)
        self._validation = validation
        self._rows: Outline = self._moved.outline
        if going_on:
            progress = going_on[0].progress
            if progress.data != self._rows.checksum:
                raise ValueError(
                    "sampling goes on with the rows, targets, weights and fields that it began "
                    "with, but these are others: begin anew"
                )
            self._sweeps = progress.sweeps
            self._chains = [list(map(Chain.copy, model.progress.chains)) for model in going_on]
            self._kept = [self._without_unused(model._kept(solver.samples)) for model in going_on]
        else:
            self._sweeps, n_outputs = 0, len(self._rows.units)
            begun = self._moved.begin(chain_numbers(n_outputs, solver.chains))
            self._chains = [
                begun[first : first + solver.chains]
                for first in range(0, len(begun), solver.chains)
            ]
            self._kept = [Thinned(solver.samples) for _ in self._chains]
        self._means = [self._mean_of(output) for output in range(len(self._chains))]
        self._monitored: list[Float] = []  # of each sweep after burn-in: (chains, quantities)
        self._diagnosed, self._diagnostics = 0, UNKNOWN
        every = [chain for chains_of_output in self._chains for chain in chains_of_output]
        numbers = chain_numbers(len(self._chains), solver.chains)
        self._moved.use(dict(zip(numbers, every, strict=True)))

    @property
    def learning_rate(self) -> float:
        """There is none."""
        raise AttributeError(f"{type(self._solver).__name__} has no learning rate")

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        raise AttributeError(f"{type(self._solver).__name__} has no learning rate")

    @property
    def diagnostics(self) -> dict[str, float]:
        """The largest R-hat and the smallest effective sample size; see `diagnostics.summary`."""
        if not self._solver._random:
            return {}
        if len(self._monitored) > MORE_DRAWS * self._diagnosed:  # not each time: that is slow
            self._diagnosed = len(self._monitored)
            self._diagnostics = summary(np.array(self._monitored))
        return self._diagnostics

    def models(self) -> list[Model]:
        """Return the current model of each output; during burn-in it is the last sample alone."""
        return [self._model_of(output) for output in range(len(self._chains))]

    def scores(self, validation: Dataset) -> Float:
        """Return the scores of the validation rows by the current models, shape (n, outputs).

        For ordered classes they are the logarithms of the probabilities, shape (n, n_classes).
        """
        return np.column_stack([mean.scores() for mean in self._means])

    def snapshot(self) -> Snapshot:
        """Return a copy of all chains and of what is kept."""
        copies = [list(map(Chain.copy, chains)) for chains in self._chains]
        kept = [samples.copy() for samples in self._kept]
        return Snapshot((self._sweeps, copies, kept, [mean.copy() for mean in self._means]))

    def restore(self, snapshot: Snapshot) -> None:
        """Restore a snapshot."""
        self._sweeps, copies, kept, means = snapshot
        self._kept = [samples.copy() for samples in kept]
        self._means = [mean.copy() for mean in means]
        for chains, others in zip(self._chains, copies, strict=True):
            for chain, other in zip(chains, others, strict=True):
                chain.assign(other)

    # --- checkpoints ----------------------------------------------------------------------------

    _has_rate = False

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "solver": to_json(self._solver),
            "loss": self._loss.name,
            "rank": int(self._chains[0][0].V.shape[1]),
            "dtype": self._rows.dtype.name,
            "seed": self._seed,
        }

    def _checksums(self) -> dict[str, int]:
        chains = [
            array for own in self._chains for chain in own for array in chain.arrays().values()
        ]
        rows = checksum(np.array(self._loss_unit), np.array(self._rows.checksum))
        return {TRAINED: rows, START: checksum(np.array(self._sweeps), *chains)}

    def _snapshot_to_content(self, snapshot: Snapshot) -> Content:
        sweeps, chains, kept, means = snapshot
        outputs: list[dict[str, Any]] = []
        arrays: Arrays = {}
        for output, (thinned, mean) in enumerate(zip(kept, means, strict=True)):
            samples = tuple(sample for sweep in thinned.kept for sample in sweep)
            progress = self._progress(sweeps, thinned, chains[output])
            header, parts = samples_to_content(samples, progress)
            outputs.append({**header, "scored": mean.count})
            arrays |= add_prefix(f"{output}.", {**parts, "scores": mean.sum})
        return {"outputs": outputs}, arrays

    def _read_snapshot(self, reader: Reader) -> Snapshot:
        headers = reader.entry("outputs", list)
        if len(headers) != len(self._chains):
            raise FileFormatError(f"has chains of {len(headers)} outputs, not {len(self._chains)}")
        chains, kept, means = [], [], []
        for output, header in enumerate(headers):
            part = reader.part(str(output), header)
            samples, progress = read_samples(part, part, self._loss.task)
            check_like(progress.chains, samples, self._chains[output])
            n = len(progress.chains)
            sweeps = [samples[i : i + n] for i in range(0, len(samples), n)]
            thinned = Thinned(self._solver.samples, progress.stride, progress.added, list(sweeps))
            chains.append(list(progress.chains))
            kept.append(thinned)
            means.append(self._read_mean(part))
        return Snapshot((progress.sweeps, chains, kept, means))

    def _read_mean(self, reader: Reader) -> Mean:
        shape: tuple[int, ...] = ()
        if self._validation is not None:
            of_classes = (len(self._chains[0][0].cuts) + 1,)
            classes = () if self._loss.task == "regression" else of_classes
            shape = (self._validation.X.n_rows, *classes)
        total = reader.array("scores", shape, ("float64",))
        if not np.isfinite(total).all():
            raise FileFormatError("has sums of scores that are not finite")
        return Mean.of(self._loss.task, reader.integer("scored", min(len(shape), 1)), total)

    def _state_to_content(self) -> Content:
        header, arrays = self._snapshot_to_content(
            Snapshot((self._sweeps, self._chains, self._kept, self._means))
        )
        monitored = np.array(self._monitored).reshape(len(self._monitored), *self._monitored_shape)
        return {**header, "diagnosed": self._diagnosed}, {**arrays, "monitored": monitored}

    def _read_state(self, reader: Reader) -> None:
        self.restore(self._read_snapshot(reader))
        self._monitored = list(reader.numbers("monitored", (None, *self._monitored_shape)))
        self._diagnosed = reader.integer("diagnosed", 0, len(self._monitored))
        if self._diagnosed:
            self._diagnostics = summary(np.array(self._monitored[: self._diagnosed]))

    @property
    def _monitored_shape(self) -> tuple[int, int]:
        return len(self._chains[0]), len(self._chains) * self._rows.monitored.n_rows

    # --- a sweep --------------------------------------------------------------------------------

    def sweep(self) -> tuple[list[float], list[list[Sample]]]:
        """Make a sweep; return the sums of squared residuals, and the samples of each output."""
        squares: list[float] = self._moved.sweep(self._sweeps)
        self._sweeps += 1
        if self._sweeps <= self._solver.burn_in + 1 or not self._solver._random:  # what was before
            self._kept = [Thinned(self._solver.samples) for _ in self._chains]
            self._means = [Mean(self._loss.task) for _ in self._chains]
        samples = self._samples()
        for output, of_chains in enumerate(samples):
            self._kept[output].add(of_chains)
            self._add_scores(self._means[output], output, of_chains)
        return squares, samples

    def _run_epoch(self) -> float:
        squares, samples = self.sweep()
        monitored = self._monitored_scores(samples)
        if not self.is_burning_in:
            self._monitored.append(monitored)
        return self._train_loss(squares, monitored) * self._loss_unit

    @property
    def is_burning_in(self) -> bool:
        """Whether the current model is still that of a single sweep."""
        return self._sweeps <= self._solver.burn_in

    def _samples(self) -> list[list[Sample]]:
        """Return the current sample of each chain of each output."""
        sizes = self._rows.sizes
        return [[Sample.of(chain, sizes) for chain in chains] for chains in self._chains]

    def _add_scores(self, mean: Mean, output: int, samples: Iterable[Sample]) -> None:
        """Add the scores of the validation rows to a mean."""
        if self._validation is not None:
            for sample in samples:
                mean.add(self._scores(output, sample, self._validation.X), sample.cuts)

    def _monitored_scores(self, samples: list[list[Sample]]) -> Float:
        """Return the scores of the monitored rows, shape (chains, outputs * rows)."""
        X = self._rows.monitored
        return np.hstack(
            [
                [self._scores(output, sample, X) for sample in of_chains]
                for output, of_chains in enumerate(samples)
            ]
        )

    def _scores(self, output: int, sample: Sample, X: _core.Csr) -> Float:
        offset, scale = self._rows.units[output]
        return offset + scale * scores_of(sample, X, self._threads)

    def _train_loss(self, squares: list[float], monitored: Float) -> float:
        """Return the mean loss of the current samples, summed over the outputs.

        For regression it is that of all training rows, for classes that of the monitored rows.
        """
        rows, chains = self._rows, len(self._chains[0])
        if self._loss.task == "regression":
            (_, scale), *_ = rows.units
            return sum(squares) / (2 * chains * rows.total_weight) * scale**2
        outputs = np.split(monitored, len(self._chains), axis=1)
        logs = [
            normal.log_probabilities(classes, scores[number], chain.cuts)
            for classes, scores, of_output in zip(
                rows.monitored_classes, outputs, self._chains, strict=True
            )
            for number, chain in enumerate(of_output)
        ]
        return float(-np.mean(logs) * len(self._chains))

    def _model_of(self, output: int) -> Model:
        kept, (offset, scale) = self._kept[output], self._rows.units[output]
        if not self._solver._random:
            (sample,) = self._with_unused(kept.kept[-1])
            return replace(sample.model(offset, scale, self._loss), history=tuple(self.history))
        progress = self._progress(self._sweeps, kept, list(map(Chain.copy, self._chains[output])))
        samples = [sample for sweep in kept.kept for sample in self._with_unused(sweep)]
        history = tuple(self.history)
        return SampledModel(samples, offset, scale, self._loss.task, progress, history)

    def _progress(self, sweeps: int, kept: Thinned, chains: Sequence[Chain]) -> Progress:
        data = self._rows.checksum
        return Progress(self._seed, sweeps, kept.added, kept.stride, tuple(chains), data)

    @property
    def _has_unused(self) -> bool:
        """Whether there are features that occur in no row."""
        return bool(len(self._features) < self._n_features)

    def _with_unused(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Return samples of all features; those that occur in no row are zero."""
        if not self._has_unused:
            return samples
        return [sample.among(self._features, self._n_features) for sample in samples]

    def _without_unused(self, kept: Thinned) -> Thinned:
        """Return samples of the features that occur in a row."""
        if self._has_unused:
            kept.kept = [
                [one.with_features(self._features) for one in sweep] for sweep in kept.kept
            ]
        return kept

    def _mean_of(self, output: int) -> Mean:
        """Return the mean over the samples kept so far."""
        mean = Mean(self._loss.task)
        for samples in self._kept[output].kept:
            self._add_scores(mean, output, samples)
        return mean
