"""The error that is shown to the user as one sentence."""


class UserError(ValueError):
    """A mistake in data, in parameters or on the command line, described in one sentence.

    Commands print its message and exit. A plain `ValueError`, such as one of numpy or torch, is a
    fault of the code and keeps its traceback.
    """
