"""The ``fastloss`` command."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError:
        sys.exit("fastloss: the command line needs an extra, install it with: pip install 'fastloss[cli]'")
    from fastloss.cli.app import app

    app(prog_name="fastloss")
