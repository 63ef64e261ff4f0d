"""Training on comparisons in plain NumPy, float64: what `sparsefm.ranking` is tested against.

Nothing here is fast, and nothing here calls the library. The score of a context c with an item i is
that of a factorization machine on the features of both; contexts and items are rows of dense
matrices C (n_contexts, d) and X (n_items, d), and no feature is of both.
"""

from itertools import islice

import numpy as np
from gibbs_random import philox
from reference import score

ATTEMPTS = 64


class Draws:
    """What a positive can be compared with in an epoch. Random words have a place of their own."""

    def __init__(self, data, seed, epoch, table=None):
        self.data, self.epoch, self.table = data, epoch, table
        self.key = seed & 0xFFFFFFFF, seed >> 32

    def range(self, p):
        if self.data.ranges is None:
            return 0, self.data.items.shape[0]
        return self.data.ranges[0][p], self.data.ranges[1][p]

    def allows(self, p, item):
        return item not in self.data.known[[self.data.user[p]]].indices

    def negatives(self, p):
        """Yield items that are no known positives; end where 64 in a row are."""
        first, last = self.range(p)
        failed = block = 0
        while failed < ATTEMPTS and first < last:
            words = philox([p, self.epoch, block, 0], self.key).tolist()
            block += 1
            for word, other in (words[:2], words[2:]):
                item = first + (word * int(last - first) >> 32)
                if self.table is not None and other / 2**32 >= self.table[0][item]:
                    item = int(self.table[1][item])
                if self.allows(p, item):
                    failed = 0
                    yield item
                else:
                    failed += 1
                if failed == ATTEMPTS:
                    return

    def negatives_of(self, p):
        return [i for i in range(*self.range(p)) if self.allows(p, i)]

    def probability(self, p, item):
        """Return that of a negative in a draw."""
        others = self.negatives_of(p)
        if self.table is None:
            return 1 / len(others)
        return self.table[2][item] / self.table[2][others].sum()


def compare(loss, n_negatives, draws, p, item, scores):
    """Return the items that a positive is compared with, its own first, their slopes and the loss.

    ``scores(i)`` is the score of item i in the context of the positive.
    """
    s = scores(item)
    if loss == "warp":
        for trial, other in enumerate(islice(draws.negatives(p), n_negatives), 1):
            if scores(other) > s - 1:
                weight = np.log(1 + len(draws.negatives_of(p)) // trial)
                return [item, other], np.array([-weight, weight]), weight * (1 + scores(other) - s)
        return [], np.zeros(0), 0.0
    if n_negatives == 0:
        others = draws.negatives_of(p)
    else:
        others = list(islice(draws.negatives(p), n_negatives))
    if not others:
        return [], np.zeros(0), 0.0
    margins = np.array([scores(i) - s for i in others])
    if loss == "bpr":
        slopes = 1 / (1 + np.exp(-margins)) / len(others)
        value = np.mean(np.log1p(np.exp(margins)))
    else:
        if n_negatives:
            margins -= np.log([len(others) * draws.probability(p, i) for i in others])
        value = np.log1p(np.exp(margins).sum())
        slopes = np.exp(margins - value)
    return [item, *others], np.array([-slopes.sum(), *slopes]), value


def step(data, batch, loss, n_negatives, draws, w, V, l2):
    """Return the gradients of a batch by w and V, and the sum of weight * loss.

    The gradients are those of the mean loss over the batch, and of the penalties
    (l2[0] w_f^2 + l2[1] |v_f|^2) / 2. A positive counts once for the features of its context, once
    for those of its item, and once for its negatives together. Features of contexts have no w.
    """
    weights = np.ones(len(data)) if data.weights is None else np.asarray(data.weights, float)
    shares = weights[batch] / weights[batch].sum()
    C, X = data.contexts.toarray(), data.items.toarray()
    dw, dV = np.zeros_like(w), np.zeros_like(V)
    total = 0.0
    for share, p in zip(shares, batch, strict=True):
        c, own = C[data.context[p]], data.item[p]

        def scores(i, c=c):
            alone = score(X[[i]], 0.0, w, V)[0]
            return alone + (c @ V) @ (X[i] @ V)

        found, slopes, value = compare(loss, n_negatives, draws, p, own, scores)
        total += weights[p] * value
        for i, slope in zip(found, slopes, strict=True):
            x = X[i]
            dw += share * slope * x
            dV += share * slope * (np.outer(x, (c + x) @ V) - (x * x)[:, None] * V)
            dV += share * slope * np.outer(c, x @ V)
            times = share * (1 if i == own else 1 / (len(found) - 1)) * (x != 0)
            dw += l2[0] * times * w
            dV += l2[1] * times[:, None] * V
        dw += l2[0] * share * (c != 0) * w
        dV += l2[1] * share * (c != 0)[:, None] * V
    return dw, dV, total


def train_adagrad(data, loss, n_negatives, orders, batch_size, seed, w, V, rate, start, l2, table):
    """Train with AdaGrad, on the positives in an order for each epoch; return w, V and losses."""
    w, V = w.astype(float).copy(), V.astype(float).copy()
    hw, hV = np.full_like(w, start), np.full_like(V, start)
    losses = []
    for epoch, order in enumerate(orders):
        draws, total = Draws(data, seed, epoch, table), 0.0
        for begin in range(0, len(order), batch_size):
            batch = order[begin : begin + batch_size]
            dw, dV, value = step(data, batch, loss, n_negatives, draws, w, V, l2)
            for theta, h, g in ((w, hw, dw), (V, hV, dV)):
                h += (len(batch) * g) ** 2
                theta -= rate * len(batch) * g / np.sqrt(h)
            total += value
        losses.append(total)
    return w, V, losses
