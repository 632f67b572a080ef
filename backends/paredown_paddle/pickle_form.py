"""The form of a pickle, looked at before it is loaded: only opcodes that a state needs, and only plain keys."""

from __future__ import annotations

import pickle
import pickletools
from typing import BinaryIO

_NUMBERS = ("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT")
_BYTES = ("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "BINBYTES8", "SHORT_BINBYTES")
_PLAIN = frozenset((*_NUMBERS, *_BYTES, "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE"))
_MADE = {"EMPTY_DICT": 0, "EMPTY_LIST": 0, "EMPTY_TUPLE": 0, "GLOBAL": 0, "STACK_GLOBAL": 2}
_MADE |= {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "REDUCE": 2, "BUILD": 2}
"""How many values from the top of the stack become one that is no plain one."""

_PUT = frozenset(("BINPUT", "LONG_BINPUT", "MEMOIZE"))
_GET = frozenset(("BINGET", "LONG_BINGET"))
_SILENT = frozenset(("PROTO", "FRAME", "STOP"))


def require_plain(file: BinaryIO) -> None:
    """Follows a pickle without loading it.

    Keys have to be text, numbers or None: hashing a tuple hashes what it holds, a million levels deep or a trillion
    times the same. Places of the memo have to be in order: room is made for all before the highest.

    Raises:
        pickle.UnpicklingError: It has an opcode that states do not have, another key, or a place out of order.
    """
    stack = _Stack()
    for opcode, argument, _ in pickletools.genops(file):
        stack.follow(opcode.name, argument)


class _Stack:
    """The unpickler's stack; of each value only whether it is text, a number or None."""

    def __init__(self) -> None:
        self._are_plain: list[bool] = []
        self._marks: list[int] = []
        self._memo: dict[int, bool] = {}

    def follow(self, name: str, argument: object) -> None:
        """Does what an opcode does."""
        if name in _PLAIN:
            self._are_plain.append(True)
        elif name in _PUT:
            self._put(len(self._memo) if name == "MEMOIZE" else argument)
        elif name in _GET:
            self._are_plain.append(self._memo[argument])  # type: ignore[index]  # the opcode has a number
        elif name == "MARK":
            self._marks.append(len(self._are_plain))
        elif name == "TUPLE":
            self._marked()
            self._are_plain.append(False)
        elif name in _MADE:
            self._pop(_MADE[name])
            self._are_plain.append(False)
        elif name in ("SETITEM", "SETITEMS"):
            _require_plain_keys(self._pop(2) if name == "SETITEM" else self._marked())
        elif name in ("APPEND", "APPENDS"):
            self._pop(1) if name == "APPEND" else self._marked()
        elif name not in _SILENT:
            raise pickle.UnpicklingError(f"it has the opcode {name}, which no state has")

    def _put(self, place: object) -> None:
        if not isinstance(place, int) or place > len(self._memo):
            raise pickle.UnpicklingError("its memo is out of order")
        self._memo[place] = self._are_plain[-1]

    def _marked(self) -> list[bool]:
        return self._pop(len(self._are_plain) - self._marks.pop())

    def _pop(self, count: int) -> list[bool]:
        start = len(self._are_plain) - count
        if start < 0 or count < 0:
            raise pickle.UnpicklingError("it takes what is not there")
        taken = self._are_plain[start:]
        del self._are_plain[start:]
        return taken


def _require_plain_keys(items: list[bool]) -> None:
    if not all(items[::2]):
        raise pickle.UnpicklingError("a key that is neither text nor a number")
