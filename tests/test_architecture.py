"""What the folder listing promises: imports run one way, the core is pure, all parts are short."""

import ast
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("groundwork", "proxy", "shipper")
# The shipper's rooms, in the order of a line's life, and what reads back; none knows another.
ROOMS = ("shipper.source", "shipper.record", "shipper.loki", "shipper.checkpoint", "shipper.reading")
# The modules that stand at the top, and who may import them.
ONLY_FOR: dict[str, frozenset[str]] = {
    "proxy.cli": frozenset(),
    "proxy.commands": frozenset({"proxy.cli"}),
    "proxy.server": frozenset({"proxy.commands"}),
    "shipper.cli": frozenset(),
    "shipper.commands": frozenset({"shipper.cli"}),
    "shipper.service": frozenset({"shipper.commands"}),
    "shipper.pipeline": frozenset({"shipper.service"}),
}

# The modules that touch the world, each with what it touches. Every other module is pure: bytes, numbers
# and a ``now`` come in, values go out. A new module is pure until it stands here.
EDGES = {
    "groundwork.eventlog": "stderr",
    "groundwork.lock": "a lock file",
    "groundwork.probe": "a port, the environment and the configuration file",
    "groundwork.settings": "the environment and the configuration file",
    "groundwork.program": "the version that is installed",
    "proxy.archive": "session files",
    "proxy.call": "streams of clients",
    "proxy.cli": "the command line",
    "proxy.commands": "the command line",
    "proxy.config": "the home folder",
    "proxy.connection": "connections of clients",
    "proxy.hasher": "a thread",
    "proxy.journal": "session files",
    "proxy.probe": "stdout and stderr",
    "proxy.recorder": "a thread, the clock and free disk",
    "proxy.relay": "streams and the clock",
    "proxy.resolver": "name servers",
    "proxy.server": "signals and sockets",
    "proxy.spool": "temporary files",
    "proxy.upstream": "connections to providers",
    "proxy.writer": "chance, the clock and free disk",
    "shipper.access": "certificates and the token file",
    "shipper.allocator": "the C library",
    "shipper.asking": "the clock",
    "shipper.checkpoint.append": "the state folder",
    "shipper.checkpoint.inflight": "the state folder",
    "shipper.checkpoint.rejected": "the state folder",
    "shipper.checkpoint.store": "the state folder",
    "shipper.check": "stdout, the clock and the names of user and host",
    "shipper.cli": "the command line",
    "shipper.commands": "the command line",
    "shipper.config": "the home folder",
    "shipper.examination.deadline": "threads",
    "shipper.examination.ground": "the two folders, the two ports and the clock",
    "shipper.examination.loki": "Loki, the network and the clock",
    "shipper.errand": "stdout and the clock",
    "shipper.fetch": "stdout, files and the clock",
    "shipper.loki.client": "Loki",
    "shipper.loki.pushers": "threads",
    "shipper.neighbour": "the log folder and the proxy's lock",
    "shipper.outlet": "threads and the clock",
    "shipper.port": "the health port",
    "shipper.probe": "stdout and stderr",
    "shipper.status": "the health port, the terminal and the clock",
    "shipper.view.rest": "the log folder and the state folder",
    "shipper.reading.client": "Loki",
    "shipper.redelivery": "session files and Loki",
    "shipper.rehearsal": "the log folder, the state folder and the clock",
    "shipper.reporter": "the event log",
    "shipper.sessions": "stdout and the clock",
    "shipper.service": "signals, clocks and chance",
    "shipper.source.discovery": "the log folder",
    "shipper.source.reader": "session files",
    "shipper.source.tailer": "session files",
    "shipper.source.trash": "the log folder",
    "shipper.source.watch": "the kernel's file events",
    "shipper.view.assets": "its own files",
}
# The modules that hold edges and touch nothing themselves.
CONDUCTORS = frozenset(
    {
        "groundwork.flags",
        "shipper.delivery",
        "shipper.composer",
        "shipper.housekeeping",
        "shipper.intake",
        "shipper.pipeline",
        "shipper.publication",
        "shipper.refusals",
        "shipper.view.about",
        "shipper.view.refused",
    }
)

# I/O, clocks, chance and concurrency.
IMPURE = frozenset(
    [
        "aiohttp",
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "fileinput",
        "getpass",
        "glob",
        "http",
        "httpcore",
        "httptools",
        "httpx",
        "importlib",
        "io",
        "logging",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "pwd",
        "queue",
        "random",
        "resource",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "uuid",
        "uvicorn",
        "uvloop",
        "watchdog",
    ]
)
# Names that are values, in modules that otherwise do I/O.
VALUES = frozenset({"http.HTTPStatus"})
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
# Methods that read the clock, of ``datetime`` and ``date``.
CLOCKS = frozenset({"now", "utcnow", "today"})

MODULE_LINES = 300
FUNCTION_LINES = 50
MEDIAN_FUNCTION_LINES = 10
# Functions that may be longer, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def imports(self) -> frozenset[str]:
        """Every name that it imports, anywhere in the file, dotted from the top."""
        return frozenset(_imported(self.tree))

    @property
    def needs(self) -> frozenset[str]:
        """The project's modules that it imports."""
        return frozenset(_module_of(name) for name in self.imports if name.split(".")[0] in PACKAGES)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_of(name: str) -> str:
    """Return the module that an imported name stands in, or is."""
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


@cache
def modules() -> dict[str, Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def each_module() -> list[object]:
    return [pytest.param(each, id=name) for name, each in modules().items()]


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def reach(importer: str) -> tuple[str, ...]:
    """Return the packages that a module may import from."""
    for room in ROOMS:
        if within(importer, room):
            return (room, "shipper.entry", "groundwork")
    return (importer.partition(".")[0], "groundwork")


def may_import(importer: str, imported: str) -> bool:
    """Tell whether an import between the project's modules runs the right way."""
    importers = ONLY_FOR.get(imported)
    return within(imported, *reach(importer)) and (importers is None or importer in importers)


@pytest.mark.parametrize("module", each_module())
def test_imports_run_one_way(module: Module) -> None:
    against = {needed for needed in module.needs if not may_import(module.name, needed)}

    assert not against


def test_no_module_needs_itself_by_any_way_round() -> None:
    needs = {name: module.needs - {name} for name, module in modules().items()}

    while free := {name for name, needed in needs.items() if not needed & needs.keys()}:
        needs = {name: needed for name, needed in needs.items() if name not in free}

    assert not needs


@pytest.mark.parametrize("module", each_module())
def test_what_is_no_edge_imports_nothing_impure(module: Module) -> None:
    if module.name in EDGES:
        return
    impure = {name for name in module.imports - VALUES if within(name, *IMPURE)}

    assert not impure
    assert module.name in CONDUCTORS or not module.needs & (EDGES.keys() | CONDUCTORS)


@pytest.mark.parametrize("module", each_module())
def test_what_is_no_edge_calls_nothing_impure(module: Module) -> None:
    if module.name in EDGES:
        return
    calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    methods = {ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS}

    assert not names & IMPURE_CALLS
    assert not methods


def test_no_module_is_listed_without_need() -> None:
    for name in EDGES:
        assert any(within(each, *IMPURE) for each in modules()[name].imports)
    for name in CONDUCTORS:
        assert modules()[name].needs & EDGES.keys()


@pytest.mark.parametrize("module", each_module())
def test_modules_are_short(module: Module) -> None:
    assert len(module.path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


def functions() -> dict[str, int]:
    """Return the length in lines of each function, by module and name."""
    return {
        f"{name}.{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, module in modules().items()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_functions_are_short() -> None:
    long = {name.partition(":")[0] for name, lines in functions().items() if lines > FUNCTION_LINES}

    assert long == LONG_FUNCTIONS.keys()


@pytest.mark.parametrize("package", PACKAGES)
def test_half_of_the_functions_are_shorter_than_ten_lines(package: str) -> None:
    lengths = [lines for name, lines in functions().items() if within(name, package)]

    assert statistics.median(lengths) < MEDIAN_FUNCTION_LINES


# What a command may load: everything costs each start of it tens of milliseconds.
HEAVY = frozenset({"aiohttp", "httpx", "prometheus_client", "re2", "uvicorn", "uvloop", "watchdog"})
PROBES = HEAVY | {"asyncio", "msgspec", "orjson", "rich", "typer", "tomllib"}
COMMANDS = [
    ("proxy.cli", ["health", "--port", "1"], PROBES),
    ("proxy.cli", ["health", "--help"], HEAVY),
    ("proxy.cli", ["--help"], HEAVY),
    ("proxy.cli", ["--version"], HEAVY),
    ("proxy.cli", ["serve", "--help"], HEAVY),
    ("proxy.cli", ["status", "--port=1"], HEAVY),
    ("shipper.cli", ["health", "--shipper-health-port", "1"], PROBES),
    ("shipper.cli", ["health", "--help"], HEAVY),
    ("shipper.cli", ["--help"], HEAVY),
    ("shipper.cli", ["--version"], HEAVY),
    ("shipper.cli", ["run", "--help"], HEAVY),
    ("shipper.cli", ["status"], HEAVY),
]
_LIST_MODULES = """
import atexit, importlib, json, sys
name, report, *sys.argv[1:] = sys.argv[1:]
atexit.register(lambda: open(report, "w").write(json.dumps(sorted(sys.modules))))
importlib.import_module(name).main()
"""


@pytest.mark.parametrize(
    ("name", "words", "heavy"), [pytest.param(*each, id=" ".join([each[0], *each[1]])) for each in COMMANDS]
)
def test_a_command_loads_only_what_it_needs(
    name: str, words: list[str], heavy: frozenset[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _LIST_MODULES, name, tmp_path / "loaded", *words]
    # Coverage would follow into the process, and bring modules of its own.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    subprocess.run(command, cwd=tmp_path, env=kept | {"PYTHONPATH": str(ROOT)}, check=False, timeout=30)

    loaded = {each.partition(".")[0] for each in json.loads((tmp_path / "loaded").read_text())}
    other = {"proxy.cli": "shipper", "shipper.cli": "proxy"}[name]

    assert name.partition(".")[0] in loaded
    assert not loaded & (heavy | {other})
