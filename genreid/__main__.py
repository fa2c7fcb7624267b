"""Where the program begins: the command `genreid`, and `python -m genreid`.

The program is two packages, `pipeline` and `stages`, that only its own processes know: an environment gets
one name, `genreid`, and somebody's own `pipeline` or `stages` is left alone. They lie in `genreid/_program`
where genreid was installed from a wheel, and beside `genreid` in a clone.
"""

from __future__ import annotations

from genreid.program import find_program_first


def main() -> None:
    """Run the command line; see `stages.entry.main`."""
    find_program_first()

    from stages.entry import main as run

    run()


if __name__ == "__main__":
    main()
