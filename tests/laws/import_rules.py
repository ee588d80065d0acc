"""Who may import whom: section 2 of docs/architecture.md as a table."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.laws.tree import PACKAGES, Source

CONTRACT = ("riskd.messages", "riskd.contract", "riskd.codes")
ALLOWED: dict[str, tuple[str, ...]] = {
    "riskd": ("riskd",),
    "engine": ("engine", *CONTRACT),
    "config": ("config", "engine", *CONTRACT),
    "actors": ("actors", "engine", "config", *CONTRACT),
    "transport": ("transport", "engine", "config", "riskd"),
}
WIRING = "transport/process"  # transport/process.py and its leaves wire the house: they see all.
OURS = (*PACKAGES, "scripts", "tests")
ADVICE = {
    "riskd": "riskd is what a gateway installs alone: name the module by an import string, or "
    "move what both need into riskd/contract",
    "engine": "the engine is pure rules: let what it needs arrive in a message or as an argument",
    "config": "configuration describes and does not run: move the use of it to the caller",
    "actors": "actors own and route: pass in what they need, or move a rule to engine/ and "
    "everything that touches the system to transport/",
    "transport": "only transport/process*.py wires actors: pass in an ActorRef or a callable",
}


class Import(NamedTuple):
    """One imported module, and where."""

    module: str
    node: ast.stmt


def imports_of(source: Source) -> Iterator[Import]:
    """Yield every import of one of our modules. `from a import b` may mean the module `a.b`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in OURS:
                yield Import(name, node)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    if not source.path.endswith("__init__.py"):
        package = package[:-1]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *filter(None, [node.module])])


def direction_violations(source: Source) -> list[str]:
    """Return a sentence for each import that goes the wrong way."""
    found = []
    for module, node in imports_of(source):
        if not _is_allowed(source, module):
            found.append(
                f"{source.at(node)} imports {module}, which {source.package}/ may not: "
                f"{ADVICE[source.package]}."
            )
        elif _is_within(module, "riskd.cli") and not is_of_the_command(source):
            found.append(
                f"{source.at(node)} imports {module}: nothing but the command imports the "
                "command; move what is needed into a module of riskd/."
            )
    return found


def is_of_the_command(source: Source) -> bool:
    """The command may import itself, and may start its sub-commands lazily."""
    return source.path.startswith("riskd/cli/") or source.path == "riskd/__main__.py"


def _is_allowed(source: Source, module: str) -> bool:
    if source.path.startswith(WIRING) and module.partition(".")[0] in PACKAGES:
        return True
    return any(_is_within(module, allowed) for allowed in ALLOWED[source.package])


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def hidden_import_violations(source: Source) -> list[str]:
    """Return a sentence for each import inside a function and each `TYPE_CHECKING`."""
    found = []
    for function in ast.walk(source.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [
                f"{source.at(node)} imports inside {function.name}(): move it to the top of the "
                "file; only the command starts its sub-commands lazily (riskd/cli)."
                for node in ast.walk(function)
                if isinstance(node, ast.Import | ast.ImportFrom)
            ]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name | ast.alias | ast.Attribute) and "TYPE_CHECKING" in (
            getattr(node, "id", ""),
            getattr(node, "name", ""),
            getattr(node, "attr", ""),
        ):
            found.append(
                f"{source.at(node)} uses TYPE_CHECKING, which hides a cycle: move the type to a "
                "module that both can import."
            )
    return list(dict.fromkeys(found))


def reading_order(engine_text: str) -> list[str]:
    """Return the modules that the docstring of engine/__init__.py lists after `reading order:`."""
    docstring = ast.get_docstring(ast.parse(engine_text)) or ""
    _, _, order = docstring.partition("reading order:")
    return [name.strip() for name in order.strip().split("\n\n")[0].split(",") if name.strip()]


def order_violations(source: Source, order: list[str]) -> list[str]:
    """Return a sentence for each import of engine/ from a module below in the reading order."""
    if source.module == "engine":
        return []
    own = source.module.split(".")[1]
    if own not in order:
        return [
            (
                f"{source.path}:1 has no place in the reading order of engine/__init__.py: put it "
                "there, below what it imports."
            )
        ]
    found = []
    for module, node in imports_of(source):
        parts = module.split(".")
        needed = parts[1] if parts[0] == "engine" and len(parts) > 1 else own
        if needed not in order or order.index(needed) > order.index(own):
            found.append(
                f"{source.at(node)} imports {needed}, which is not above {own} in the reading "
                "order of engine/__init__.py: move what both need up, or correct the order."
            )
    return list(dict.fromkeys(found))


def cycles(all_sources: Iterable[Source]) -> list[str]:
    """Return a sentence for each module that, by its imports, depends on itself."""
    kept = {source.module: source for source in all_sources}
    needs = {
        name: {needed for x in imports_of(source) if (needed := _known(x.module, kept)) != name}
        for name, source in kept.items()
    }
    state: dict[str, bool] = {}  # False while a module is on the path, True when it is done.
    found = []

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            chain = " -> ".join([*path[path.index(module) :], module])
            found.append(
                f"{kept[module].path}:1 is part of an import cycle, {chain}: move what they share "
                "into a module that both import."
            )
        elif module not in state:
            state[module] = False
            for needed in sorted(filter(None, needs[module])):
                visit(needed, (*path, module))
            state[module] = True

    for module in sorted(kept):
        visit(module, ())
    return found


def _known(module: str, kept: dict[str, Source]) -> str:
    """`a.b.NAME` is the module `a.b`, unless `a.b.NAME` is a module itself."""
    while module and module not in kept:
        module = module.rpartition(".")[0]
    return module
