"""Which code a function uses: the functions, classes and constants of rsconn that it can reach.

Read from the source, without importing it. Names are followed exactly. Of an attribute of an object nothing is known
but its name, so every method of that name, of any class in sight, counts. Where a name leads nowhere, the whole module
does.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_ROOT = "rsconn"
# Decorators that do not read the annotations of what they decorate.
_PLAIN = {
    "property",
    "cached_property",
    "staticmethod",
    "classmethod",
    "cache",
    "lru_cache",
    "contextmanager",
}
_BY_NAME = {"getattr", "hasattr", "attrgetter", "methodcaller"}
_EFFECTS = "<effects>"  # statements that bind no name: they run when the module is imported
UnitKey = tuple[str, str]


@dataclass(frozen=True)
class Unit:
    """One thing that can be used alone: a function, class, method or constant.

    Attributes
    ----------
    text : str
        Its syntax tree, without docstrings, comments and the annotations that nothing evaluates.
    chains : frozenset of str
        Names that it reads, with what follows their dots.
    attributes : frozenset of str
        Names of attributes that it asks objects for.
    constants : frozenset of str
        Its short texts, which may name a package that holds templates.
    imports : dict
        Names that it imports itself, to their dotted targets.
    """

    text: str
    chains: frozenset[str]
    attributes: frozenset[str]
    constants: frozenset[str]
    imports: dict[str, str]


@dataclass(frozen=True)
class Module:
    """What a module defines.

    Attributes
    ----------
    units : dict
        Name to unit; methods as ``Class.method``.
    imports : dict
        Imported name to dotted target.
    imported : tuple of str
        Every rsconn module or name that is imported anywhere in it, for annotations too.
    """

    units: dict[str, Unit] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    imported: tuple[str, ...] = ()


def collect_code(start: Iterable[str], package: Path, *, beyond: Collection[str] = ()) -> dict[str, str]:
    """Return everything that a function or module uses, name to syntax tree, or path to content for templates.

    Parameters
    ----------
    start : iterable of str
        Dotted names: of a module, or of a name in one.
    package : Path
        Folder of the package.
    beyond : collection of str
        Dotted names that are not followed.
    """
    search = _Search(package, frozenset(beyond))
    for name in start:
        search.add(name)
    return search.run()


class _Search:
    """A walk from names to the names that they use."""

    def __init__(self, package: Path, beyond: frozenset[str]) -> None:
        self.package = package
        self.beyond = beyond
        self.waiting: list[UnitKey] = []
        self.seen: dict[UnitKey, Unit] = {}
        self.attributes: set[str] = set()
        self.in_sight: dict[str, Module] = {}

    def run(self) -> dict[str, str]:
        while self.waiting:
            module, name = self.waiting.pop()
            unit = self._read(module).units[name]
            self.seen[module, name] = unit
            for chain in unit.chains:
                self._follow(chain, unit, module)
            self._add_methods(unit.attributes)
        found = {f"{module}.{name}": unit.text for (module, name), unit in self.seen.items()}
        return found | self._read_templates()

    def add(self, dotted: str) -> None:
        """Add a module, or a name of one; a name that the module does not define adds all of it."""
        if dotted in self.beyond:
            return
        module, rest = self._split(dotted)
        if module is None:
            return
        self._see(module)
        content = self._read(module)
        first = rest.split(".")[0]
        if first in content.units:
            self._wait((module, first))
        elif first in content.imports:
            self.add(".".join([content.imports[first], *rest.split(".")[1:]]))
        else:
            for name in content.units:
                self._wait((module, name))

    def _follow(self, chain: str, unit: Unit, module: str) -> None:
        first, *rest = chain.split(".")
        content = self._read(module)
        target = unit.imports.get(first) or content.imports.get(first)
        if target is not None:
            self.add(".".join([target, *rest]))
        elif first in content.units:
            self._wait((module, first))
        for star in (target for name, target in content.imports.items() if name.startswith("*")):
            self.add(star)

    def _wait(self, key: UnitKey) -> None:
        if key not in self.seen and key not in self.waiting and ".".join(key) not in self.beyond:
            self.waiting.append(key)

    def _see(self, module: str) -> None:
        """Bring a module's methods in sight, and those of the modules it imports: its objects may be theirs."""
        fresh = [module]
        while fresh:
            name = fresh.pop()
            if name in self.in_sight:
                continue
            content = self.in_sight[name] = self._read(name)
            fresh += [found for target in content.imported if (found := self._split(target)[0])]
            self._match(name, self.attributes)
        if _EFFECTS in self.in_sight[module].units:
            self._wait((module, _EFFECTS))

    def _add_methods(self, attributes: Iterable[str]) -> None:
        new = set(attributes) - self.attributes
        self.attributes |= new
        for module in list(self.in_sight):
            self._match(module, new)

    def _match(self, module: str, attributes: Collection[str]) -> None:
        for name in self.in_sight[module].units:
            if "." in name and name.split(".")[1] in attributes:
                self._wait((module, name))

    def _read_templates(self) -> dict[str, str]:
        """Return the files, other than Python, of the packages that are named in a text: templates."""
        named = {text for unit in self.seen.values() for text in unit.constants}
        folders = [folder for text in sorted(named) if (folder := self._find_folder(text)) is not None]
        files = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
        return {
            path.relative_to(self.package).as_posix(): path.read_bytes().hex()
            for path in sorted(files)
            if path.suffix not in {".py", ".pyc"}
        }

    def _find_folder(self, dotted: str) -> Path | None:
        if not dotted.startswith(f"{_ROOT}."):
            return None
        folder = self.package.joinpath(*dotted.split(".")[1:])
        return folder if folder.is_dir() else None

    def _split(self, dotted: str) -> tuple[str | None, str]:
        """Return the module that a dotted name begins with, and what is left of the name."""
        parts = dotted.split(".")
        if parts[0] != _ROOT:
            return None, dotted
        for size in range(len(parts), 0, -1):
            if self._find_file(parts[1:size]) is not None:
                return ".".join(parts[:size]), ".".join(parts[size:])
        return None, dotted

    def _find_file(self, parts: list[str]) -> Path | None:
        folder = self.package.joinpath(*parts)
        if parts and folder.with_suffix(".py").is_file():
            return folder.with_suffix(".py")
        return folder / "__init__.py" if (folder / "__init__.py").is_file() else None

    def _read(self, module: str) -> Module:
        path = self._find_file(module.split(".")[1:])
        assert path is not None  # noqa: S101 - _split found it
        status = path.stat()
        return _read_module(path, status.st_mtime_ns, status.st_size)


@cache
def _read_module(path: Path, _mtime_ns: int, _size: int) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = tuple(target for target in _list_imports(tree).values() if target.startswith(_ROOT))
    parts: dict[str, list[ast.stmt]] = {}
    imports: dict[str, str] = {}
    for statement in _Bare().visit(tree).body:
        if _is_for_reading_only(statement):
            continue
        imports |= {} if _is_definition(statement) else _list_imports(statement)
        for name in _list_bound(statement, imports):
            parts.setdefault(name, []).append(statement)
    units = {name: _make_unit(statements) for name, statements in parts.items()}
    methods = {
        f"{statement.name}.{method.name}": _make_unit([method])
        for statement in tree.body
        if isinstance(statement, ast.ClassDef)
        for method in statement.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return Module(units | methods, imports, imported)


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _is_for_reading_only(statement: ast.stmt) -> bool:
    """Say whether a statement does not run on import: ``if TYPE_CHECKING`` or ``if __name__ == "__main__"``."""
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id in {"TYPE_CHECKING", "__name__"}
        for node in ast.walk(statement.test)
    )


def _list_bound(statement: ast.stmt, imports: dict[str, str]) -> Iterator[str]:
    """Yield the names that a top-level statement defines or changes; `_EFFECTS` if it may do more than that."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        roots = {
            node.id
            for line in statement.decorator_list
            for node in ast.walk(line)
            if isinstance(node, ast.Name)
        }
        if any(imports.get(root, "").startswith(_ROOT) for root in roots):  # it may enter the thing somewhere
            yield _EFFECTS
        return
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return
    changed = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_stored(node)}
    if isinstance(statement, ast.Assign | ast.AugAssign):  # TABLE["key"] = value changes TABLE
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        changed |= {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    yield from sorted(changed) or [_EFFECTS]


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _list_imports(tree: ast.AST) -> dict[str, str]:
    """Return the names that the import statements in a tree bind, to their dotted targets."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                # `from rsconn.signal import weights` names a module, not a function of one
                star = alias.name == "*"
                name = f"*{node.module}" if star else alias.asname or alias.name
                found[name] = node.module if star else f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                found[name] = alias.name if alias.asname else name
    return found


def _make_unit(statements: list[ast.stmt]) -> Unit:
    tree = ast.Module(body=statements, type_ignores=[])
    nodes = list(ast.walk(tree))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    asked = [node for node in nodes if isinstance(node, ast.Call) and _get_name(node.func) in _BY_NAME]
    attributes |= {
        part.value
        for call in asked
        for part in call.args
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    return Unit(
        text=ast.dump(tree),
        chains=frozenset(_list_chains(tree)),
        attributes=frozenset(attributes),
        constants=frozenset(text for text in texts if text.startswith(f"{_ROOT}.")),
        imports=_list_imports(tree),
    )


def _get_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _list_chains(tree: ast.AST) -> Iterator[str]:
    """Yield every name that is read, with the attributes that follow it: ``weights.build`` of ``weights.build(x)``."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        rest: list[str] = []
        base: ast.AST = node
        while isinstance(base, ast.Attribute):
            rest.insert(0, base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            yield ".".join([base.id, *rest])
        else:
            waiting.extend(ast.iter_child_nodes(node))


class _Bare(ast.NodeTransformer):
    """Take away what does not run: docstrings, and annotations that nothing evaluates."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        _drop_docstring(node)
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                _silence(statement)
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        _drop_docstring(node)
        if "dataclass" in _list_decorators(node):  # it keeps annotations as texts
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign):
                    _silence(statement)
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        _drop_docstring(node)
        if _list_decorators(node) <= _PLAIN:
            node.returns = None
            every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            for argument in (*every, node.args.vararg, node.args.kwarg):
                if argument is not None:
                    argument.annotation = None
        for inner in ast.walk(node):
            if isinstance(inner, ast.AnnAssign):
                inner.annotation = ast.Constant("")
        self.generic_visit(node)
        return node


def _silence(statement: ast.AnnAssign) -> None:
    statement.annotation = ast.Constant(ast.unparse(statement.annotation))


def _drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        del node.body[0]


def _list_decorators(node: ast.ClassDef | ast.FunctionDef) -> set[str]:
    calls = [line.func if isinstance(line, ast.Call) else line for line in node.decorator_list]
    return {_get_name(call) for call in calls}
