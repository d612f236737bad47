"""The error whose message is shown to the user without a traceback."""


class UserError(ValueError):
    """A mistake in data, in parameters or on the command line, described in one sentence.

    Commands print its message and exit. A plain `ValueError`, such as one from numpy or torch, is a
    bug and keeps its traceback.
    """
