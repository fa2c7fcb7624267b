"""What goes into the wheel besides the package `genreid`; all else about the project is in pyproject.toml.

The packages `pipeline` and `stages` go into the folder `genreid/_program`, where only the command finds them
(`genreid/__main__.py`), and the files that `genreid init` makes a project of into `genreid/_project`. In an
editable installation both are where they are in the repository.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PROGRAM = ("pipeline", "stages")
ASSETS = ("stages.using.report", ["assets/*"])
TEMPLATES: dict[str, Any] = runpy.run_path("stages/starting/templates.py")


class BuildWithProgram(build_py):
    """Builds the program and the project's files into the folders of `genreid` that are theirs."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.editable_mode:
            return
        inside = [name for top in PROGRAM for name in find_packages(include=[top, f"{top}.*"])]
        self.packages = [*self.packages, *(f"genreid._program.{name}" for name in inside)]
        self.package_dir = {**self.package_dir, **{f"genreid._program.{top}": top for top in PROGRAM}}
        package, patterns = ASSETS
        self.package_data = {**self.package_data, f"genreid._program.{package}": patterns}

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name, content in TEMPLATES["of_clone"](Path()).items():
            packed = Path(self.build_lib, "genreid", TEMPLATES["packed"](name))
            packed.parent.mkdir(parents=True, exist_ok=True)
            packed.write_bytes(content)


setup(cmdclass={"build_py": BuildWithProgram})
