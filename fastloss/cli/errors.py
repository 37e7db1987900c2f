"""What the command refuses."""


class Refused(Exception):
    """Input that cannot be used; its text is the one line that the user reads."""
