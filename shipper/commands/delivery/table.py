"""What Loki refused, for a person: by reason and file, with what to do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from groundwork.text import middle
from shipper.checkpoint.rejected import Rejection
from shipper.entry import DropReason
from shipper.telemetry.page.files import shown_path

# Of a reason so many files are shown; --json has them all.
_MOST_FILES = 20
_CELLS_BEFORE_FILE = 42
_ANSWER_CHARACTERS = 300
_RETRY = "then llm-loki-ship rejected --retry"
_ADVICE: dict[str, str] = {
    DropReason.LINE_TOO_LONG: f"raise max_line_size in Loki's limits_config, {_RETRY}",
    DropReason.TOO_OLD: f"raise reject_old_samples_max_age in Loki's limits_config, {_RETRY}",
    DropReason.TOO_NEW: (
        "their time was ahead of Loki's clock: once it has passed, llm-loki-ship rejected --retry; "
        "or raise creation_grace_period in Loki's limits_config"
    ),
    DropReason.TOO_FAR_BEHIND: "llm-loki-ship rejected --retry sends them under the label late",
    DropReason.METADATA_TOO_LARGE: (
        "raise max_structured_metadata_size and max_structured_metadata_entries_count in Loki's "
        f"limits_config, {_RETRY}"
    ),
    DropReason.FILE_GONE: "their file was gone before they were read: nothing can send them any more",
}


@dataclass(frozen=True, slots=True)
class RejectionGroup:
    """Refusals of one reason in one file; all of them lie in the bytes ``[start, end)``.

    ``there`` tells whether the file is.
    """

    reason: str
    file: str
    entries: int
    start: int
    end: int
    answer: str
    there: bool


def groups_of(rejections: Iterable[Rejection], is_there: Callable[[str], bool]) -> list[RejectionGroup]:
    """Return the refusals by reason and file, the largest group of a reason first."""
    grouped: dict[tuple[str, str], list[Rejection]] = {}
    for each in rejections:
        grouped.setdefault((each.reason, each.file), []).append(each)
    groups = (
        RejectionGroup(
            reason,
            file,
            sum(each.lines for each in found),
            min(each.start for each in found),
            max(each.end for each in found),
            next((each.answer for each in found if each.answer), ""),
            is_there(file),
        )
        for (reason, file), found in grouped.items()
    )
    return sorted(groups, key=lambda group: (group.reason, -group.entries, group.file))


def advice_on(reason: str) -> str:
    """Return what to do about a reason."""
    return _ADVICE.get(reason, _RETRY)


def refused_shown(groups: Sequence[RejectionGroup], root: str, width: int) -> RenderableType:
    """Return the refusals for a terminal of that width; files below ``root`` are shown without it."""
    if not groups:
        return Text("Loki has refused nothing for good.")
    parts: list[RenderableType] = []
    for reason in dict.fromkeys(group.reason for group in groups):
        parts += _reason(reason, [group for group in groups if group.reason == reason], root, width)
    return Group(*parts[:-1])


def json_rows(rejections: Iterable[Rejection], is_there: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Return each refusal for scripts, with what to do."""
    return [
        {**asdict(each), "file_is_there": is_there(each.file), "advice": advice_on(each.reason)}
        for each in rejections
    ]


def _reason(reason: str, groups: Sequence[RejectionGroup], root: str, width: int) -> Iterator[RenderableType]:
    count = sum(group.entries for group in groups)
    yield Text.assemble((reason, "bold red"), f"  {_number(count, 'entry', 'entries')} in ",
                        _number(len(groups), "file", "files"))  # fmt: skip
    answer = " ".join(next((group.answer for group in groups if group.answer), "").split())
    if answer:
        yield Text.assemble(("  Loki: ", "dim"), answer[:_ANSWER_CHARACTERS], overflow="fold")
    yield Text.assemble(("  to do: ", "dim"), (advice_on(reason), "yellow"), overflow="fold")
    yield _files(groups[:_MOST_FILES], root, width)
    if len(groups) > _MOST_FILES:
        yield Text(f"  and {len(groups) - _MOST_FILES:,} more files (--json lists all)", style="dim")
    yield Text()


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _files(groups: Sequence[RejectionGroup], root: str, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
    table.add_column("  entries", justify="right", no_wrap=True)
    table.add_column("within bytes", no_wrap=True)
    table.add_column("file", no_wrap=True)
    for group in groups:
        gone = "" if group.there else " (gone)"
        path = middle(shown_path(group.file, root), max(16, width - _CELLS_BEFORE_FILE - len(gone)))
        table.add_row(
            f"{group.entries:,}", f"{group.start:,} to {group.end:,}", Text.assemble(path, (gone, "red"))
        )
    return table
