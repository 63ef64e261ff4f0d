"""Metrics of recommendations and splits, in plain loops, one user after the other."""

import math

METRICS = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")


def of_user(ranked, relevant, k):
    """Return the metrics of a user.

    Parameters
    ----------
    ranked : list of (rank, item)
    relevant : set
        Not empty.
    k : int
    """
    item_at = {rank: item for rank, item in ranked if rank <= k}
    hits = [rank for rank in range(1, k + 1) if rank in item_at and item_at[rank] in relevant]
    best = range(1, min(k, len(relevant)) + 1)
    precisions = [sum(hit <= rank for hit in hits) / rank for rank in hits]
    return {
        "ndcg": sum(1 / math.log2(rank + 1) for rank in hits)
        / sum(1 / math.log2(rank + 1) for rank in best),
        "recall": len(hits) / len(relevant),
        "precision": len(hits) / k,
        "map": sum(precisions) / min(k, len(relevant)),
        "mrr": 1 / hits[0] if hits else 0.0,
        "hit_rate": 1.0 if hits else 0.0,
    }


def by_user(recommended, relevant, k):
    """Return the metrics of each user of `relevant`, rows of (user, item), in order.

    `recommended` has rows of (user, item, rank).
    """
    users = sorted({user for user, _ in relevant})
    found = {}
    for user in users:
        ranked = [(rank, item) for one, item, rank in recommended if one == user]
        found[user] = of_user(ranked, {item for one, item in relevant if one == user}, k)
    return found


def means(recommended, relevant, k):
    found = by_user(recommended, relevant, k).values()
    return {name: sum(one[name] for one in found) / len(found) for name in METRICS}


def auc(scores, relevant, excluded):
    """Return the mean over the users, or None if none has a pair; arguments are lists of rows."""
    shares = []
    for row, wanted, out in zip(scores, relevant, excluded, strict=True):
        items = range(len(row))
        good = [row[i] for i in items if wanted[i]]
        other = [row[i] for i in items if not wanted[i] and not out[i]]
        pairs = [(g > o) + (g == o) / 2 for g in good for o in other]
        if pairs:
            shares.append(sum(pairs) / len(pairs))
    return sum(shares) / len(shares) if shares else None


def by_time(times, test_size):
    """Return training rows and test rows."""
    wanted = math.ceil(test_size * len(times))
    for cut in sorted(set(times), reverse=True):
        test = [row for row, time in enumerate(times) if time >= cut]
        if len(test) >= wanted:
            return [row for row in range(len(times)) if row not in test], test
    raise AssertionError("all rows are enough")


def last_out(users, times, n):
    """Return training rows and test rows."""
    test = []
    for user in set(users):
        rows = sorted((times[row], row) for row in range(len(users)) if users[row] == user)
        if len(rows) > n:
            test += [row for _, row in rows[-n:]]
    return [row for row in range(len(users)) if row not in test], sorted(test)
