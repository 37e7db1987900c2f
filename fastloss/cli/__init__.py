"""The ``fastloss`` command."""

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the status that `fastloss.cli.ending` lists."""
    from fastloss._core.extras import missing
    from fastloss.cli.ending import ending

    with ending():
        try:
            import rich  # noqa: F401
            import typer  # noqa: F401
        except ImportError as error:
            raise missing("the command", "typer and rich", "cli") from error
        from fastloss.cli.app import app

        sys.exit(app(arguments, prog_name="fastloss", standalone_mode=False))
