"""Telling that a checkpoint belongs to another Loki."""

from contextlib import suppress

from shipper.checkpoint.destination import last_destination, note_destination
from shipper.config import ShipperSettings
from shipper.loki.connect import name_of
from shipper.telemetry.events import Event, Reporter


def tell_destination(settings: ShipperSettings, reporter: Reporter) -> None:
    """Note where lines go from now on, and tell where they went before if that was another Loki."""
    folder, name = settings.state_folder, name_of(settings.loki)
    before = last_destination(folder)
    if before and before != name:
        reporter.report(Event.OTHER_LOKI, before=before)
    # Where this cannot be written, the checkpoint cannot either, and tells of it.
    with suppress(OSError):
        note_destination(folder, name)
