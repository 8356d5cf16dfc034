"""Why the service cannot start, as a sentence for the person at the terminal."""


class CannotServe(Exception):
    """The message says what is wrong and what to do; `forger serve` prints it and exits with status 2."""
