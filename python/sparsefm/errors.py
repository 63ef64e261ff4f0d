"""Exceptions of our own."""


class DivergenceError(ArithmeticError):
    """Training left the realm of finite numbers, or got hopelessly worse than it began.

    The message names the epoch, the likely cause and the remedy. No model is returned.
    """


class FileFormatError(ValueError):
    """A file is not what `load` can read: another format, damaged, or from a newer version.

    The message names the file and what is wrong with it. Nothing has been loaded.
    """
