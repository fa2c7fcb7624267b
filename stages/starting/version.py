"""Which version of the program this is."""

from __future__ import annotations

import typer


def version() -> str:
    """That of the installation; a clone on a Python path alone has none."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("genreid")
    except PackageNotFoundError:
        return "unknown (not installed)"


def tell_version(asked: bool) -> None:
    """The option `--version` of the command line."""
    if asked:
        typer.echo(f"genreid {version()}")
        raise typer.Exit
