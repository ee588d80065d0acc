"""What makes engine/ pure: the outside arrives as data, and no order is by chance."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.laws.import_rules import OURS
from tests.laws.tree import Source

PURE_MODULES = {
    *("__future__", "abc", "array", "binascii", "bisect", "calendar", "collections", "difflib"),
    *("contextlib", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions"),
    *("functools", "hashlib", "heapq", "itertools", "math", "numbers", "operator", "re"),
    *("statistics", "string", "struct", "textwrap", "types", "typing", "zlib"),
    *("msgspec", "numpy", "sortedcontainers", "typing_extensions"),
}
IMPURE_NAMES = {
    "open": "take the bytes as an argument; transport/ reads files",
    "hash": "it differs from run to run; use engine/digest.py or the value itself",
    "id": "an address differs from run to run; compare with `is`, or give the thing a number",
    "print": "return the text; the caller shows it",
    "input": "take the value as an argument",
    "eval": "write the code out",
    "exec": "write the code out",
    "compile": "write the code out",
    "__import__": "import it at the top of the file",
    "breakpoint": "remove it",
}
CLOCK_READS = {"now", "utcnow", "today"}
NUMPY_IMPURE = {"random", "load", "save", "savez", "fromfile", "memmap", "loadtxt", "savetxt"}
SETS = {"set", "frozenset", "Set", "AbstractSet", "MutableSet"}
ORDER_KEEPERS = {"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "deque"}
ORDER_KEEPING_METHODS = {"join", "fromkeys", "extend"}
ORDERED = "iterate sorted(...) of it, or keep a dict or a tuple instead"
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def purity_violations(source: Source) -> list[str]:
    """Return a sentence for each thing in a module of engine/ that is not pure."""
    found = [*_imports(source), *_names(source), *_set_iterations(source)]
    return list(dict.fromkeys(found))


def _imports(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module or ""]
        for module in modules:
            top = module.partition(".")[0]
            if top not in PURE_MODULES and top not in OURS:
                yield (
                    f"{source.at(node)} imports {module}, which is not pure or not known to be: "
                    "let its result arrive in the message, or move the code to transport/."
                )


def _names(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in IMPURE_NAMES:
                yield f"{source.at(node)} uses {node.id}: {IMPURE_NAMES[node.id]}."
        elif isinstance(node, ast.Attribute):
            if node.attr in CLOCK_READS:
                yield (
                    f"{source.at(node)} reads the clock with .{node.attr}: take the instant from "
                    "the message, as recv_ns."
                )
            elif node.attr in NUMPY_IMPURE and _dotted(node.value) in ("np", "numpy"):
                yield (
                    f"{source.at(node)} uses numpy.{node.attr}, which reads chance or files: take "
                    "the array as an argument."
                )


def _set_iterations(source: Source) -> Iterator[str]:
    """Follow sets by name: local names within their function, `self.x` within the file."""
    known_attributes = {x for x in _names_of_sets(source.tree) if "." in x}
    functions = [x for x in ast.walk(source.tree) if isinstance(x, FunctionNode)]
    module_names = _names_of_sets(ast.Module(body=_without_functions(source.tree), type_ignores=[]))
    for scope in (source.tree, *functions):
        known = known_attributes | module_names
        if scope is not source.tree:
            known |= _names_of_sets(scope)
        for iterated in _iterated(scope):
            if _is_set(iterated, known):
                yield f"{source.at(iterated)} iterates a set, whose order is by chance: {ORDERED}."


def _without_functions(tree: ast.Module) -> list[ast.stmt]:
    return [x for x in tree.body if not isinstance(x, FunctionNode | ast.ClassDef)]


def _names_of_sets(scope: ast.AST) -> set[str]:
    known: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and _is_set(node.value, known):
            known |= {_dotted(target) for target in node.targets}
        elif isinstance(node, ast.AnnAssign) and _is_set_type(node.annotation):
            known.add(_dotted(node.target))
        elif isinstance(node, ast.arg) and node.annotation and _is_set_type(node.annotation):
            known.add(node.arg)
    return known - {""}


def _iterated(scope: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        if isinstance(node, ast.For | ast.comprehension):
            yield node.iter
        elif isinstance(node, ast.Starred):
            yield node.value
        elif isinstance(node, ast.Call) and _keeps_order(node.func):
            yield from node.args


def _keeps_order(function: ast.expr) -> bool:
    """Does the result show in which order the argument was iterated?"""
    match function:
        case ast.Name(id=name):
            return name in ORDER_KEEPERS
        case ast.Attribute(attr=name):
            return name in ORDER_KEEPING_METHODS
        case _:
            return False


def _is_set(node: ast.expr, known: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in ("set", "frozenset")
        case ast.BinOp(left, ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right):
            return _is_set(left, known) or _is_set(right, known)
        case ast.Name() | ast.Attribute():
            return _dotted(node) in known
        case _:
            return False


def _is_set_type(node: ast.expr) -> bool:
    if isinstance(node, ast.Subscript):
        node = node.value
    return _dotted(node).rpartition(".")[2] in SETS


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value, attr):
            return f"{_dotted(value)}.{attr}" if _dotted(value) else ""
        case _:
            return ""
