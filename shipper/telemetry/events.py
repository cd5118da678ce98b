"""One event is one log line and one counter, from here."""

import logging
import time
from enum import Enum
from typing import Any

from groundwork.eventlog import EventLog
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.outage import Repeats


class Event(Enum):
    """All events: a stable name, a level and a sentence. Each is counted as ``events{event=<name>}``."""

    LISTENING = ("shipper.listening", logging.INFO, "Health port: {url}")
    EXPORT_ENABLED = ("shipper.export_enabled", logging.INFO, "Loki export: enabled ({url})")
    EXPORT_DISABLED = ("shipper.export_disabled", logging.INFO, "Loki export: disabled")
    EXPORT_UNUSABLE = ("shipper.export_unusable", logging.WARNING, "Loki export: not possible: {reason}")
    EXPORT_DOUBTFUL = ("shipper.export_doubtful", logging.WARNING, "{doubt}")
    SETTING_IGNORED = ("config.ignored", logging.WARNING, "{warning}")
    FOLDER_AWAITED = (
        "source.folder_awaited",
        logging.WARNING,
        "Waiting for the folder {folder}: is it the log_dir of the proxy?",
    )
    FOLDER_FOUND = ("source.folder_found", logging.INFO, "Following {folder}")
    FOLDER_EXPOSED = ("source.folder_exposed", logging.WARNING, "{folder}: {exposure}")
    PROXY_MISSED = (
        "source.proxy_missed",
        logging.WARNING,
        "No llm-proxy is running on {folder}: if one runs, its log_dir is a different folder",
    )
    POLLING = (
        "source.polling",
        logging.WARNING,
        "No file events, so files are looked at, up to 500 a second: {reason}",
    )
    EVENTS_BACK = ("source.events_back", logging.INFO, "File events come again")
    FILE_NEW = ("source.file_new", logging.DEBUG, "Following a new file")
    FILE_MOVED = ("source.file_moved", logging.INFO, "A file was renamed or moved")
    FILE_REWRITTEN = (
        "source.file_rewritten",
        logging.WARNING,
        "A file was truncated or replaced; reading it from its start",
    )
    FILE_UNREADABLE = (
        "source.file_unreadable",
        logging.WARNING,
        "{count} files or folders cannot be read: {reason}",
    )
    FILE_GONE = ("source.file_gone", logging.WARNING, "A file was deleted with {bytes} unread bytes")
    FILE_PUT_ASIDE = ("retention.file_put_aside", logging.INFO, "A delivered file was moved to the trash")
    FILE_TAKEN_BACK = ("retention.file_taken_back", logging.INFO, "A file in the trash was moved back")
    FILE_REMOVED = ("retention.file_removed", logging.INFO, "A delivered file was removed")
    RETENTION_FAILED = ("retention.failed", logging.WARNING, "Delivered files cannot be removed: {reason}")
    PUSH_DELIVERED = ("loki.push_delivered", logging.DEBUG, "A push was delivered")
    PUSH_FAILED = ("loki.push_failed", logging.WARNING, "A push failed and will be retried: {reason}")
    PUSH_DIVIDED = ("loki.push_divided", logging.INFO, "A push was divided: {reason}")
    PUSH_PARKED = ("loki.push_parked", logging.ERROR, "A push fails while others succeed, and was parked")
    QUERY_GIVEN_UP = (
        "loki.query_given_up",
        logging.WARNING,
        "Loki's query API fails, so entries are sent again unverified: {reason}",
    )
    ENTRY_FORGOTTEN = (
        "audit.entry_forgotten",
        logging.ERROR,
        "Loki no longer has {entries} entries that it acknowledged; they are sent again",
    )
    AUDIT_FAILED = ("audit.failed", logging.WARNING, "Loki cannot be read back: {reason}")
    METADATA_LESS = (
        "loki.metadata_less",
        logging.WARNING,
        "Loki does not accept all structured metadata; pushing with what fetch and sessions need",
    )
    METADATA_OFF = (
        "loki.metadata_off",
        logging.WARNING,
        "Loki does not accept structured metadata; pushing without it",
    )
    CLOCK_WRONG = (
        "loki.clock_wrong",
        logging.WARNING,
        "The clock here is {apart} Loki's: run NTP on both machines",
    )
    LINE_LIMIT = (
        "loki.line_limit",
        logging.WARNING,
        "Loki accepts lines up to {limit} bytes; splitting longer ones",
    )
    DELIVERY_FAILING = ("loki.delivery_failing", logging.ERROR, "{what}: {reason}. {advice}")
    STILL_FAILING = (
        "loki.still_failing",
        logging.ERROR,
        "Still: {what}: {reason}. {advice}",
    )
    DELIVERY_RECOVERED = ("loki.delivery_recovered", logging.INFO, "Lines reach Loki again")
    ENTRY_LATE = (
        "loki.entry_late",
        logging.INFO,
        "An entry too far behind its stream is sent with the label late",
    )
    ENTRY_REJECTED = ("loki.entry_rejected", logging.WARNING, "Loki rejected an entry: {reason}")
    CHECKPOINT_UNREADABLE = (
        "checkpoint.unreadable",
        logging.WARNING,
        "The checkpoint cannot be used: {reason}",
    )
    OTHER_LOKI = (
        "checkpoint.other_loki",
        logging.WARNING,
        "Lines were delivered to {before} until now, and are not sent again: see llm-loki-ship resend",
    )
    CHECKPOINT_FAILED = ("checkpoint.failed", logging.WARNING, "The checkpoint cannot be written: {reason}")
    MEASURED = ("shipper.measured", logging.INFO, "Delivery: {status}, {lag_bytes} bytes behind")
    STOPPING = ("shipper.stopping", logging.INFO, "Stopping; {bytes} bytes are left to deliver")
    STOPPED = ("shipper.stopped", logging.INFO, "Stopped; {what}")
    STOPPED_UNSAVED = (
        "shipper.stopped_unsaved",
        logging.ERROR,
        "Stopped; the checkpoint cannot be written: the next run sends delivered lines again",
    )
    STOPPED_EARLY = (
        "shipper.stopped_early",
        logging.WARNING,
        "Stopped with {bytes} bytes unshipped: {reason}",
    )


# Events of outages, which are repeated at intervals of their own.
_TURNS = frozenset({Event.DELIVERY_FAILING, Event.STILL_FAILING})


class Reporter:
    """Writes events and counts them. Of many with the same reason, only some are written."""

    def __init__(self, log: EventLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._repeats = Repeats()
        metrics.events.update({event.value[0]: 0 for event in Event})

    def report(self, event: Event, *, times: int = 1, quiet: bool = False, **fields: Any) -> None:
        """Tell an event that happened ``times`` times; a ``quiet`` one is counted only.

        What has a ``reason`` counts as alike up to the reason's first colon.

        The fields fill the sentence and stand beside it; none may be a secret, a header value or a body.
        """
        name, level, sentence = event.value
        self._metrics.events[name] += times
        if quiet:
            return
        if "reason" in fields and event not in _TURNS:
            kind = (name, str(fields["reason"]).partition(":")[0])
            passed_over = self._repeats.count(kind, time.monotonic())
            if passed_over is None:
                return
            if passed_over:
                fields["passed_over"] = passed_over
        text = sentence.format(**fields).rstrip()
        self._log.write(level, name, text, **fields)
        self._metrics.log_lines_dropped = self._log.dropped
        if level >= logging.WARNING:
            file = fields.get("file")
            self._metrics.happened(name, f"{text} ({file})" if file else text, time.time())
