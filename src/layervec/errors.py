"""The one exception that users see: bad input or usage, told in one sentence.

Anything else that escapes is our own fault and keeps its traceback.
"""


class InputError(Exception):
    """Bad input or usage. The message is one clear sentence that names the file and the cause."""
