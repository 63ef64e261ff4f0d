"""Sampled models as the content of a file, and back; what is read is not trusted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.half import exact, halved
from sparsefm.io.reader import REALS, Reader, add_prefix
from sparsefm.sampling.chain import Chain
from sparsefm.sampling.samples import Progress, Sample

LARGEST = 2**64 - 1
SIZES = {"seed": 0, "sweeps": 0, "added": 0, "stride": 1, "data": 0}  # the least value of each


def samples_to_content(
    samples: tuple[Sample, ...], progress: Progress, dtype: str | None = None
) -> tuple[dict[str, Any], Arrays]:
    """Return samples, and what it takes to continue, as JSON values and arrays.

    Parameters
    ----------
    samples : tuple of Sample
    progress : Progress
    dtype : {"float16", "bfloat16"}, optional
        Of the parameters; see `halved`.
    """
    header = {name: getattr(progress, name) for name in SIZES}
    arrays: Arrays = {
        "samples.w0": np.array([sample.w0 for sample in samples]),
        "samples.noise": np.array([sample.noise for sample in samples]),
        "samples.cuts": np.stack([sample.cuts for sample in samples]),
    }
    exact(arrays, dtype)
    for name in ("w", "V"):
        stacked = np.stack([getattr(sample, name) for sample in samples])
        arrays |= halved({f"samples.{name}": stacked}, dtype)
    for number, chain in enumerate(progress.chains):
        held = chain.arrays()
        exact({"cuts": held["cuts"]}, dtype)
        held |= halved({name: held[name] for name in ("w0", "w", "V")}, dtype)
        arrays |= add_prefix(f"chain.{number}.", held)
    return header | {"chains": len(progress.chains)}, arrays


def read_samples(
    reader: Reader, progress: Reader, task: str
) -> tuple[tuple[Sample, ...], Progress]:
    """Return the samples, and what it takes to continue."""
    V = reader.parameters("samples.V", (None, None, None), REALS)
    n, n_features, rank = V.shape
    real, exact = (V.dtype.name,), ("float64",)
    w = reader.parameters("samples.w", (n, n_features), real)
    w0 = reader.numbers("samples.w0", (n,), exact)
    noise = reader.numbers("samples.noise", (n,), exact)
    if n == 0 or not (noise > 0).all():
        raise FileFormatError("has no samples, or noise that is not positive")
    cuts = _read_cuts(reader, "samples.cuts", (n, None))
    if cuts.shape[1] > 1 and task != "ordinal":
        raise FileFormatError("has cuts between classes that are not ordered")
    samples = tuple(Sample(float(w0[i]), w[i], V[i], float(noise[i]), cuts[i]) for i in range(n))
    chains = []
    for number in range(progress.integer("chains", 1)):  # ends where the arrays do
        part = reader.part(f"chain.{number}")
        means = part.numbers("means", (None, 1 + rank), exact)
        w = part.parameters("w", (None,), real)  # of the features that occur in rows
        chain = Chain(
            part.numbers("w0", (1,), real),
            w,
            part.parameters("V", (len(w), rank), real),
            part.numbers("noise_precision", (1,), exact),
            means,
            part.numbers("precisions", means.shape, exact),
            _read_cuts(part, "cuts", (cuts.shape[1],)),
        )
        if len(w) > n_features:
            raise FileFormatError("has a chain of more features than the samples")
        if not ((chain.precisions > 0).all() and (chain.noise_precision > 0).all()):
            raise FileFormatError("has precisions that are not positive")
        chains.append(chain)
    if n % len(chains):
        raise FileFormatError("has samples that are not as many for each chain")
    sizes = {name: progress.integer(name, least, LARGEST) for name, least in SIZES.items()}
    return samples, Progress(**sizes, chains=tuple(chains))


def check_like(chains: Sequence[Chain], samples: Sequence[Sample], others: Sequence[Chain]) -> None:
    """Check that chains and their samples have the shapes and types of other chains."""
    if len(chains) != len(others):
        raise FileFormatError(f"has {len(chains)} chains, not {len(others)}")
    for chain, other in zip(chains, others, strict=True):
        for name, like in other.arrays().items():
            array = chain.arrays()[name]
            if (array.shape, array.dtype) != (like.shape, like.dtype):
                raise FileFormatError(
                    f"has a chain whose {name} is {array.dtype} of shape {array.shape}, not "
                    f"{like.dtype} of shape {like.shape}"
                )
    V, like = samples[0].V, others[0].V
    if (V.shape, V.dtype) != (like.shape, like.dtype):
        raise FileFormatError(f"has samples of shape {V.shape}, not {like.shape}")


def _read_cuts(reader: Reader, name: str, shape: tuple[int | None, ...]) -> Any:
    """Return cuts; in files from before there were ordered classes, there is only that at 0."""
    if not reader.has_array(name):
        return np.zeros([1 if length is None else length for length in shape])
    cuts = reader.numbers(name, shape, ("float64",))
    if cuts.shape[-1] == 0 or (cuts[..., 0] != 0).any() or (cuts[..., 1:] <= cuts[..., :-1]).any():
        raise FileFormatError("has cuts between classes that do not ascend from 0")
    return cuts
