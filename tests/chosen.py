"""Made interactions: users choose items by taste, which depends on what both are like."""

import numpy as np
import pandas as pd

N_USERS, N_ITEMS = 120, 60
COLOURS, TASTES = list("rgb"), list("xyz")


def made(seed=0, n=20, cold=0):
    """Return interactions, users and items; users of taste x like items of colour r, and so on.

    The last `cold` items are not chosen by anybody.
    """
    rng = np.random.default_rng(seed)
    users = pd.DataFrame({"user": [f"u{i}" for i in range(N_USERS)]})
    items = pd.DataFrame({"item": [f"i{i}" for i in range(N_ITEMS)]})
    taste, colour = np.arange(N_USERS) % 3, np.arange(N_ITEMS) % 3
    users["taste"], items["colour"] = np.array(TASTES)[taste], np.array(COLOURS)[colour]
    scores = 3.0 * (taste[:, None] == colour) + rng.gumbel(size=(N_USERS, N_ITEMS))
    scores[:, N_ITEMS - cold :] = -np.inf
    order = np.argsort(-scores, axis=1)[:, :n]
    rows = pd.DataFrame(
        {
            "user": np.repeat(users["user"], n).to_numpy(),
            "item": items["item"].to_numpy()[order.ravel()],
            "day": np.tile(np.arange(n), N_USERS),
        }
    )
    return rows, users, items
