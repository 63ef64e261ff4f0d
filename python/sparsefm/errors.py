"""The exceptions that sparsefm defines."""


class DivergenceError(ArithmeticError):
    """The loss of a training is not finite, or far larger than at the start.

    The message names the epoch, the likely cause and the remedy. No model is returned.
    """


class FileFormatError(ValueError):
    """`load` or `read` cannot read a file: another format, damaged, or from a newer version.

    The message names the file and what is wrong, of a text file also the line and the column.
    Nothing is loaded.
    """
