"""The samples that a model keeps of its chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.sampling.chain import Chain

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sample:
    """The parameters of one sweep of a chain, in units of standardised targets.

    Attributes
    ----------
    w0 : float
    w : ndarray of shape (d,)
    V : ndarray of shape (d, k)
    noise : float
        Standard deviation of the targets.
    cuts : ndarray of shape (n_classes - 1,)
        The cuts between ordered classes; the first is 0, and that between two classes.
    """

    w0: float
    w: Array
    V: Array
    noise: float
    cuts: Array

    @classmethod
    def of(cls, chain: Chain, sizes: Array) -> Sample:
        """Return a copy of a chain's parameters, for values that are not divided by their sizes."""
        w, V = chain.w.copy(), chain.V.copy()
        if (sizes != 1).any():
            w = (w / sizes).astype(w.dtype)
            V = (V / sizes[:, None]).astype(V.dtype)
        noise = float(1 / np.sqrt(chain.noise_precision[0]))
        return cls(float(chain.w0[0]), w, V, noise, chain.cuts.copy())

    def with_features(self, features: Array) -> Sample:
        """Return a sample that has only some features, given in ascending order."""
        return replace(self, w=self.w[features], V=self.V[features])

    def among(self, features: Array, n_features: int) -> Sample:
        """Return a sample of more features; this one's have the given numbers, others are zero."""
        w = np.zeros(n_features, self.w.dtype)
        V = np.zeros((n_features, self.V.shape[1]), self.V.dtype)
        w[features], V[features] = self.w, self.V
        return replace(self, w=w, V=V)

    def model(self, offset: float, scale: float, loss: Loss) -> Model:
        """Return a model of these parameters; its scores are offset + scale * (those of these)."""
        V = (np.sqrt(scale) * self.V).astype(self.V.dtype)
        w = (scale * self.w).astype(self.w.dtype)
        return Model(offset + scale * self.w0, w, V, loss.task, loss.name)


@dataclass(frozen=True, eq=False)
class Progress:
    """What it takes to continue sampling as if it had not ended.

    Attributes
    ----------
    seed : int
    sweeps : int
        Made so far.
    added, stride : int
        See `Thinned`.
    chains : tuple of Chain
    data : int
        A checksum of the rows, targets, weights and fields.
    """

    seed: int
    sweeps: int
    added: int
    stride: int
    chains: tuple[Chain, ...]
    data: int


@dataclass
class Thinned:
    """Samples of at most `limit` sweeps, evenly spread over all that were added.

    When there is no room every other one is removed, and from then on only every other one is
    added. So what is kept depends on the number of sweeps only, not on when sampling paused. With
    a stride of s, sweeps s, 2 s, 3 s and so on are kept.

    Attributes
    ----------
    limit : int
    stride : int
        One sweep in so many is kept.
    added : int
        Sweeps so far.
    kept : list
        The samples of each kept sweep, one for each chain.
    """

    limit: int
    stride: int = 1
    added: int = 0
    kept: list[Sequence[Sample]] = field(default_factory=list)

    def add(self, samples: Sequence[Sample]) -> None:
        """Add the samples of a sweep, one of each chain, if it is one to keep."""
        self.added += 1
        if self.added % self.stride == 0:
            if len(self.kept) >= self.limit:
                self.thin()
            if self.added % self.stride == 0:
                self.kept.append(samples)

    def thin(self) -> None:
        """Remove every other sweep."""
        self.kept = self.kept[1::2]
        self.stride *= 2

    def copy(self) -> Thinned:
        """Return a copy; samples themselves never change."""
        return Thinned(self.limit, self.stride, self.added, list(self.kept))
