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
# The rooms of each package, in the order of the data's way: a room imports itself and those before it.
ROOMS = {
    "groundwork": (),
    "proxy": (
        "config",
        "wire",
        "content",
        "record",
        "sessions",
        "recording",
        "telemetry",
        "server",
        "commands",
    ),
    "shipper": (
        "config",
        "entry",
        "source",
        "record",
        "loki",
        "checkpoint",
        "telemetry",
        "pipeline",
        "commands",
    ),
}
# The rooms that know nothing of each other: what travels between them is in ``shipper.entry``.
STRANGERS = frozenset({"shipper.source", "shipper.record", "shipper.loki", "shipper.checkpoint"})
# More entries than this and a listing is no longer taken in at a glance.
ENTRIES = 9
# The modules that stand at the top, and who may import them.
ONLY_FOR: dict[str, frozenset[str]] = {
    "proxy.commands.cli": frozenset(),
    "proxy.commands.app": frozenset({"proxy.commands.cli"}),
    "proxy.server.server": frozenset({"proxy.commands.app"}),
    "shipper.commands.cli": frozenset(),
    "shipper.commands.app": frozenset({"shipper.commands.cli"}),
    "shipper.commands.run.service": frozenset({"shipper.commands.app", "shipper.commands.run.resend"}),
    "shipper.pipeline.pipeline": frozenset({"shipper.commands.run.service"}),
}
# What writes a text to a terminal.
WRITERS = frozenset({"typer.echo", "sys.stdout.write", "sys.stderr.write"})

# The modules that touch the world, each with what it touches. Every other module is pure: bytes, numbers
# and a ``now`` come in, values go out. A new module is pure until it stands here.
EDGES = {
    "groundwork.eventlog": "stderr",
    "groundwork.disk.files": "files and folders",
    "groundwork.disk.lock": "a lock file",
    "groundwork.commands.probe": "a port, the environment and the configuration file",
    "groundwork.settings.settings": "the environment and the configuration file",
    "groundwork.commands.terminal": "stdout",
    "groundwork.commands.program": "the version that is installed and the names of user and host",
    "proxy.sessions.session_index": "session files",
    "proxy.wire.call": "streams of clients",
    "proxy.commands.cli": "the command line",
    "proxy.commands.app": "the command line",
    "proxy.config": "the home folder",
    "proxy.wire.connection": "connections of clients",
    "proxy.recording.queue.hasher": "a thread",
    "proxy.record.journal": "session files",
    "proxy.commands.probe": "stdout and stderr",
    "proxy.recording.queue.recorder": "a thread, the clock and free disk",
    "proxy.server.relay": "streams and the clock",
    "proxy.wire.upstream.resolver": "name servers",
    "proxy.wire.clients": "tasks and timers",
    "proxy.wire.upstream.failure": "the system's words for errors",
    "proxy.wire.upstream.dial": "connections to providers and proxies",
    "proxy.wire.upstream.pool": "connections to providers and the clock",
    "proxy.wire.message.tcp": "sockets",
    "proxy.wire.message.handover": "tasks",
    "proxy.server.configuration": "the names of user and host, and the environment",
    "proxy.server.exchange": "chance and the clock",
    "proxy.server.signed": "the clock",
    "proxy.server.tap": "the clock",
    "proxy.server.tunnel": "streams and the clock",
    "proxy.server.descriptors": "the limit of descriptors",
    "proxy.wire.access.signing": "AWS credentials and threads",
    "proxy.wire.access.tls": "the certificate of the listener",
    "proxy.server.server": "signals and sockets",
    "proxy.recording.spool": "temporary files",
    "proxy.wire.upstream.connection": "connections to providers",
    "proxy.recording.worker": "chance, the clock and free disk",
    "shipper.loki.connect": "the token file",
    "shipper.loki.wire.body": "Loki and the clock",
    "shipper.loki.wire.transport": "connections to Loki, the environment and the clock",
    "shipper.loki.wire.trust": "certificates",
    "shipper.commands.run.memory": "the C library",
    "shipper.commands.run.surroundings.descriptors": "the limit of descriptors",
    "shipper.loki.query.patient": "the clock",
    "shipper.checkpoint.destination": "the state folder",
    "shipper.commands.run.resend": "the clock and a folder for its state",
    "shipper.checkpoint.append": "the state folder",
    "shipper.checkpoint.inflight": "the state folder",
    "shipper.checkpoint.rejected": "the state folder",
    "shipper.checkpoint.store": "the state folder",
    "shipper.commands.check.check": "stdout and the clock",
    "shipper.commands.cli": "the command line",
    "shipper.commands.app": "the command line",
    "shipper.config": "the home folder",
    "shipper.commands.check.deadline": "threads",
    "shipper.commands.check.observe": "the two folders, the two ports and the clock",
    "shipper.commands.check.loki": "Loki, the network and the clock",
    "shipper.commands.run.progress": "stdout and the clock",
    "shipper.commands.fetch.fetch": "stdout, files and the clock",
    "shipper.commands.fetch.source.files": "session files",
    "shipper.loki.push.client": "Loki",
    "shipper.loki.push.workers": "threads",
    "shipper.telemetry.proxy_presence": "the log folder and the proxy's lock",
    "shipper.telemetry.export.http_server": "the health port",
    "shipper.telemetry.export.web_server": "a port",
    "shipper.commands.probe": "stdout and stderr",
    "shipper.commands.status.status": "the health port, the terminal and the clock",
    "shipper.commands.status.offline_state": "the log folder and the state folder",
    "shipper.loki.query.client": "Loki",
    "shipper.commands.delivery.audit": "stdout, session files, the state folder, Loki and the clock",
    "shipper.commands.delivery.commands": "the command line and the clock",
    "shipper.pipeline.audit.lines": "session files",
    "shipper.pipeline.audit.worker": "a thread, Loki and the clock",
    "shipper.checkpoint.read_back": "the state folder",
    "shipper.commands.delivery.resend": "session files and Loki",
    "shipper.commands.run.dry_run": "the log folder, the state folder and the clock",
    "shipper.telemetry.events": "the event log",
    "shipper.commands.sessions.explore.explore": "the port, signals and the browser",
    "shipper.commands.sessions.explore.guard": "requests of browsers",
    "shipper.commands.sessions.explore.server": "requests of browsers and the sessions",
    "shipper.commands.sessions.explore.assets": "its own files",
    "shipper.commands.sessions.explore.sources.folder": "session files, a thread and the clock",
    "shipper.commands.sessions.explore.sources.loki": "Loki, a thread and the clock",
    "shipper.commands.sessions.explore.sources.index": "a database in the state folder",
    "shipper.commands.sessions.sessions": "stdout and the clock",
    "shipper.commands.run.service": "signals, clocks and chance",
    "shipper.source.discovery": "the log folder",
    "shipper.source.reader": "session files",
    "shipper.source.open_files": "session files",
    "shipper.pipeline.retention.trash": "the log folder",
    "shipper.source.events.watch": "the kernel's file events",
    "shipper.telemetry.page.assets": "its own files",
}
# The modules that hold edges and touch nothing themselves.
CONDUCTORS = frozenset(
    {
        "groundwork.settings.flags",
        "shipper.checkpoint.recovery",
        "shipper.pipeline.delivery",
        "shipper.pipeline.composer",
        "shipper.pipeline.retention.housekeeping",
        "shipper.pipeline.intake",
        "shipper.pipeline.pipeline",
        "shipper.telemetry.export.publisher",
        "shipper.pipeline.rejections",
        "shipper.pipeline.audit.files",
        "shipper.pipeline.audit.read_back",
        "shipper.telemetry.page.about",
        "shipper.commands.delivery.table",
        "shipper.commands.run.surroundings.port",
        "shipper.commands.run.surroundings.event_watch",
        "shipper.commands.run.surroundings.destination",
        "shipper.loki.wiring",
        "shipper.telemetry.clock",
    }
)

# I/O, clocks, chance and concurrency.
IMPURE = frozenset(
    [
        "aiohappyeyeballs",
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
        "python_socks",
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

# A module's own docstring does not count: at hard spots it holds the theory of operation.
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


def reach(importer: str) -> frozenset[str]:
    """Return the rooms and packages that a module may import from."""
    package = importer.partition(".")[0]
    rooms = [f"{package}.{each}" for each in ROOMS[package]]
    room = place_of(importer, 2)
    if room not in rooms:
        return frozenset({"groundwork"})
    before = set(rooms[: rooms.index(room)])
    return frozenset({room, "groundwork"} | (before - STRANGERS if room in STRANGERS else before))


def may_import(importer: str, imported: str) -> bool:
    """Tell whether an import between the project's modules runs the right way."""
    importers = ONLY_FOR.get(imported)
    return within(imported, *reach(importer)) and (importers is None or importer in importers)


@pytest.mark.parametrize("module", each_module())
def test_imports_run_one_way(module: Module) -> None:
    against = {needed for needed in module.needs if not may_import(module.name, needed)}

    assert not against


def without_free(needs: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Take away what needs nothing that is left, until only cycles remain."""
    while free := {name for name, needed in needs.items() if not (needed - {name}) & needs.keys()}:
        needs = {name: needed for name, needed in needs.items() if name not in free}
    return needs


def test_no_module_needs_itself_by_any_way_round() -> None:
    assert not without_free({name: module.needs for name, module in modules().items()})


@pytest.mark.parametrize("depth", [2, 3])
def test_no_room_and_no_room_within_it_needs_itself_by_any_way_round(depth: int) -> None:
    needs: dict[str, frozenset[str]] = {}
    for name, module in modules().items():
        place = place_of(name, depth)
        needs[place] = needs.get(place, frozenset()) | {place_of(each, depth) for each in module.needs}

    assert not without_free(needs)


def place_of(name: str, depth: int) -> str:
    """Return the room, at 2, or the room or module within it, at 3, that a module stands in."""
    return ".".join(name.split(".")[:depth])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_has_no_more_entries_than_are_taken_in_at_a_glance(package: str) -> None:
    entries: dict[Path, set[str]] = {}
    for path in (ROOT / package).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            for below in (path, *path.parents):
                if below.is_relative_to(ROOT / package) and below != ROOT / package:
                    entries.setdefault(below.parent, set()).add(below.name)
    crowded = {folder: names - {"__init__.py"} for folder, names in entries.items()}

    assert not {folder: names for folder, names in crowded.items() if len(names) > ENTRIES}


@pytest.mark.parametrize("package", ["proxy", "shipper"])
def test_every_module_stands_in_a_room(package: str) -> None:
    rooms = {f"{package}.{each}" for each in ROOMS[package]}

    assert {place_of(name, 2) for name in modules() if within(name, package)} == rooms | {package}


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
    text = module.path.read_text(encoding="utf-8")
    prose = len((ast.get_docstring(ast.parse(text), clean=False) or "").splitlines())

    assert len(text.splitlines()) - prose <= MODULE_LINES


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
HEAVY = frozenset(
    {"genai_prices", "httpx", "prometheus_client", "python_socks", "re2", "uvicorn", "uvloop", "watchdog"}
)
PROBES = HEAVY | {"asyncio", "msgspec", "orjson", "rich", "typer", "tomllib"}
COMMANDS = [
    ("proxy.commands.cli", ["health", "--port", "1"], PROBES),
    ("proxy.commands.cli", ["health", "--help"], HEAVY),
    ("proxy.commands.cli", ["--help"], HEAVY),
    ("proxy.commands.cli", ["--version"], HEAVY),
    ("proxy.commands.cli", ["serve", "--help"], HEAVY),
    ("proxy.commands.cli", ["status", "--port=1"], HEAVY),
    ("shipper.commands.cli", ["health", "--shipper-health-port", "1"], PROBES),
    ("shipper.commands.cli", ["health", "--help"], HEAVY),
    ("shipper.commands.cli", ["--help"], HEAVY),
    ("shipper.commands.cli", ["--version"], HEAVY),
    ("shipper.commands.cli", ["run", "--help"], HEAVY),
    ("shipper.commands.cli", ["status"], HEAVY),
]
_LIST_MODULES = """
import atexit, importlib, json, sys
name, report, *sys.argv[1:] = sys.argv[1:]
atexit.register(lambda: open(report, "w").write(json.dumps(sorted(sys.modules))))
importlib.import_module(name).main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words", "heavy"), [pytest.param(*each, id=" ".join([each[0], *each[1]])) for each in COMMANDS]
)
def test_a_command_loads_only_what_it_needs(
    name: str, words: list[str], heavy: frozenset[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _LIST_MODULES, name, str(tmp_path / "loaded"), *words]
    # Coverage would follow into the process, and bring modules of its own.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    subprocess.run(command, cwd=tmp_path, env=kept | {"PYTHONPATH": str(ROOT)}, check=False, timeout=30)

    loaded = {each.partition(".")[0] for each in json.loads((tmp_path / "loaded").read_text())}
    other = {"proxy.commands.cli": "shipper", "shipper.commands.cli": "proxy"}[name]

    assert name.partition(".")[0] in loaded
    assert not loaded & (heavy | {other})


@pytest.mark.parametrize("module", each_module())
def test_what_is_printed_passes_the_filter_of_the_terminal(module: Module) -> None:
    made = {"Console", "print"} if module.name != "groundwork.commands.terminal" else {"print"}
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    written = [ast.unparse(each.args[0]) for each in calls if ast.unparse(each.func) in WRITERS and each.args]

    assert not made & {ast.unparse(each.func) for each in calls}
    assert not [each for each in written if not each.startswith("printable(")]
