"""Exceptions of our own."""


class DivergenceError(ArithmeticError):
    """Training left the realm of finite numbers, or got hopelessly worse than it began.

    The message names the epoch, the likely cause and the remedy. No model is returned.
    """
