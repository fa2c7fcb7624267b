"""Put at the top of a copy as sitecustomize.py: each process of its tests writes down what it calls.

One line for every function of the copy that is called, as soon as it is: a process that is killed has told
what it did. Line 0 stands for the module itself.
"""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType

_ROOT = os.path.dirname(os.path.abspath(__file__)) + os.sep
_CALLED = os.environ.get("MUTANTS_CALLED")

if _CALLED:
    _descriptor = os.open(_CALLED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _seen: dict[int, CodeType] = {}

    def _record(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or id(code) in _seen:
            return
        _seen[id(code)] = code  # held, so that its id stays its own
        if code.co_filename.startswith(_ROOT):
            line = 0 if code.co_name == "<module>" else code.co_firstlineno
            os.write(_descriptor, f"{code.co_filename[len(_ROOT) :]}\t{line}\n".encode())

    sys.setprofile(_record)
    threading.setprofile(_record)
