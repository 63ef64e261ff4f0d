"""Squared loss over all pairs, as plainly as can be: dense, in float64, feature by feature."""

import numpy as np


class AllPairs:
    """Least squares over all pairs of contexts and items.

    Parameters
    ----------
    contexts, items : ndarray of shape (n, d) and (m, d)
    positives : ndarray of shape (n, m)
        The weight of each pair as a positive; 0: it is none.
    penalties : ndarray of shape (d,)
    alpha : float
    w0, w, V : ndarray of shape (1,), (d,) and (d, k)
    """

    def __init__(self, contexts, items, positives, penalties, alpha, w0, w, V):
        self.sides = contexts, items
        self.positives, self.penalties, self.alpha = positives, penalties, alpha
        self.w0, self.w, self.V = (np.array(p, np.float64) for p in (w0, w, V))

    def scores(self):
        """Return the scores of the rows that have the features of a context and of an item."""
        X = self.sides[0][:, None, :] + self.sides[1][None, :, :]
        squares = ((X @ self.V) ** 2 - X**2 @ self.V**2).sum(axis=2)
        return self.w0[0] + X @ self.w + squares / 2

    def objective(self):
        scores = self.scores()
        penalty = self.penalties @ (self.w**2 + (self.V**2).sum(axis=1))
        positive = (self.positives * (scores - 1) ** 2).sum()
        return positive + self.alpha * (scores**2).sum() + penalty

    def epoch(self):
        for own in (0, 1):
            for members in classes(self.sides[own]):
                for j in members:
                    self.update(own, j)
        omega = self.positives + self.alpha
        if omega.sum() > 0:
            self.w0 += (self.positives - omega * self.scores()).sum() / omega.sum()
        return self.objective()

    def update(self, own, j):
        """Set theta_j = (w_j, v_j) to what minimises the objective, given all the rest."""
        if not all(map(len, self.sides)):  # there is nothing to know
            return
        X = self.sides[0][:, None, :] + self.sides[1][None, :, :]
        x = X[..., j]
        others = X @ self.V - x[..., None] * self.V[j]
        z = (x[..., None] * np.concatenate([np.ones((*x.shape, 1)), others], axis=2)).reshape(
            x.size, -1
        )
        theta = np.concatenate([[self.w[j]], self.V[j]])
        omega = (self.positives + self.alpha).ravel()
        rest = self.scores().ravel() - z @ theta  # the score without theta
        A = z.T @ (omega[:, None] * z) + self.penalties[j] * np.eye(len(theta))
        theta = np.linalg.solve(A, z.T @ (self.positives.ravel() - omega * rest))
        self.w[j], self.V[j] = theta[0], theta[1:]


def penalties(contexts, items, positives, alpha, l2, nu):
    """Return l2 (weights of positives and pairs of each feature)^nu."""
    of_contexts = positives.sum(axis=1) + alpha * positives.shape[1]
    of_items = positives.sum(axis=0) + alpha * positives.shape[0]
    known = of_contexts @ (contexts != 0) + of_items @ (items != 0)
    return np.array([l2 * float(one) ** nu if one > 0 else 0.0 for one in known])


def classes(X):
    """Return features in classes: each is in the first whose features it shares no row with."""
    found = []
    for j in np.flatnonzero((X != 0).any(axis=0)):
        rows = X[:, j] != 0
        for members in found:
            if not (X[:, members][rows] != 0).any():
                members.append(j)
                break
        else:
            found.append([j])
    return found
