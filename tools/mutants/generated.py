"""Faults that cosmic-ray's operators make: another operator, another number, a condition turned round.

Of cosmic-ray only the operators are used. They change the text, so decorated functions and kernels are
changed like all others (mutmut leaves functions with decorators alone).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tools.mutants.mutant import ROOT, Mutant, enclosing_function, is_kernel

_ARITHMETIC = (
    *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Div", "FloorDiv_Mul", "Mod_FloorDiv", "Pow_Mul"),
    *("BitAnd_BitOr", "BitOr_BitAnd", "BitXor_BitAnd", "LShift_RShift", "RShift_LShift"),
)
_COMPARISONS = (
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
)

Position = tuple[int, int]


@dataclass(frozen=True, order=True)
class _Change:
    operator: str
    occurrence: int


def generated(files: list[str], *, seed: int, number: int | None) -> list[Mutant]:
    """One fault at each of `number` places drawn at random, or every fault at every place (None).

    A place is a stretch of text that some operator changes. Its rank in the draw is a digest of the seed and
    its line, so that an edit elsewhere leaves most of the sample as it is.
    """
    places = sorted(place for file in files for place in _places(file, seed))
    if number is None:
        return [fault for _, file, changes in places for fault in _made(file, changes)]
    one_each = (
        next(_made(file, [*changes[int(rank, 16) % len(changes) :], *changes]), None)
        for rank, file, changes in places
    )
    return list(islice((fault for fault in one_each if fault is not None), number))


def _places(file: str, seed: int) -> Iterator[tuple[str, str, list[_Change]]]:
    """Rank, file and possible changes of every place in a file."""
    source = (ROOT / file).read_text()
    lines = source.splitlines()
    found: dict[tuple[Position, Position], list[_Change]] = {}
    spared = _spared(ast.parse(source))
    nodes = list(ast_nodes(get_ast(source)))
    for name in _operators():
        operator = get_operator(name)()
        occurrence = 0
        for node in nodes:
            for begin, end in operator.mutation_positions(node):
                if not any(first <= begin and end <= last for first, last in spared):
                    found.setdefault((begin, end), []).append(_Change(name, occurrence))
                occurrence += 1
    before: dict[str, int] = {}
    for (begin, _), changes in sorted(found.items()):
        line = lines[begin[0] - 1]
        before[line] = before.get(line, 0) + 1
        identity = f"{seed}\0{file}\0{line}\0{before[line]}"
        yield hashlib.sha256(identity.encode()).hexdigest(), file, changes


def _operators() -> list[str]:
    """Those whose faults can be missed: `a << b` for a product of floats is not one."""
    pairs = {f"core/ReplaceBinaryOperator_{pair}" for pair in _ARITHMETIC}
    pairs |= {f"core/ReplaceComparisonOperator_{pair}" for pair in _COMPARISONS}
    alone = ("Variable", "ReplaceBinaryOperator", "ReplaceComparisonOperator")
    names = sorted(operator_names())
    return [name for name in names if name in pairs or not name.startswith(tuple(f"core/{a}" for a in alone))]


def _spared(tree: ast.Module) -> list[tuple[Position, Position]]:
    """Stretches that no run can tell: annotations and `frozen`, which a type checker holds, assertions, which
    only a bug breaks, what tells numba how to compile, and the bare star of a signature, no product."""
    nodes: list[ast.stmt | ast.expr | ast.keyword | None] = []
    spared: list[tuple[Position, Position]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            nodes.append(node)
        elif isinstance(node, ast.AnnAssign | ast.arg):
            nodes.append(node.annotation)
        elif isinstance(node, ast.ClassDef):
            calls = [call for call in node.decorator_list if isinstance(call, ast.Call)]
            nodes += [keyword for call in calls for keyword in call.keywords if keyword.arg == "frozen"]
        elif isinstance(node, ast.FunctionDef):
            nodes.append(node.returns)
            spared += _bare_star(node.args)
            if is_kernel(node):
                spared += [((line.lineno, 0), (node.lineno, 0)) for line in node.decorator_list]
    spared += [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes
        if node is not None
    ]
    return spared


def _bare_star(arguments: ast.arguments) -> list[tuple[Position, Position]]:
    """What lies between the last argument with a place and the first without, where that is a star alone."""
    before = [*arguments.posonlyargs, *arguments.args]
    if arguments.vararg or not arguments.kwonlyargs or not before:
        return []
    last = arguments.defaults[-1] if arguments.defaults else before[-1]
    first = arguments.kwonlyargs[0]
    return [((last.end_lineno or 0, last.end_col_offset or 0), (first.lineno, first.col_offset))]


def _made(file: str, changes: list[_Change]) -> Iterator[Mutant]:
    """The faults that these changes make, but for those that are no Python."""
    source = (ROOT / file).read_text()
    for change in changes:
        text = mutate_code(source, get_operator(change.operator)(), change.occurrence)
        assert text is not None, f"{change} makes nothing in {file}"
        with suppress(SyntaxError):
            compile(text, file, "exec")
            yield described(file, source, text, change.operator.removeprefix("core/"), by_hand=False)


def described(file: str, source: str, text: str, why: str, *, by_hand: bool) -> Mutant:
    """The mutant that turns `source` into `text`, with the lines in which they differ."""
    before, after = source.splitlines(), text.splitlines()
    first = _num_equal(before, after)
    last = 0
    while last < min(len(before), len(after)) - first and before[-1 - last] == after[-1 - last]:
        last += 1
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    alone = (old or new)[0]  # where lines have gone or come only, it begins after the indentation
    column = _num_equal(old[0], new[0]) if old and new else len(alone) - len(alone.lstrip())
    old_text, new_text = ("\n".join(line.strip() for line in lines) for lines in (old, new))
    function = enclosing_function(ast.parse(source), first + 1, column)
    return Mutant(file, first + 1, function, old_text, new_text, text, why, by_hand)


def _num_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
