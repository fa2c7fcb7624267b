"""Where the program `genreid` begins: it can be told to end before the command line is even imported."""

from __future__ import annotations

from pipeline.ending import end_when_told


def main() -> None:
    """Run the command line; see `stages.cli.main`."""
    end_when_told()

    from stages.cli import main as run

    run()


if __name__ == "__main__":
    main()
