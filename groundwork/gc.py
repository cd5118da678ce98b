"""When Python's garbage collector goes through all that is in memory, which holds up everything else."""

import gc

# Of the collections that look at young objects only, one in a hundred goes on to all, instead of one in ten.
# With 3,000 calls waiting for a slow disk that takes 50 to 150 ms, and did so every few seconds; of the
# shipper's time the collector took a seventh. What is in no cycle needs none of this: ended calls and
# connections are in none, nor are lines.
YOUNG = 700
_MIDDLE, _OLD = 10, 100


def freeze_startup_objects(young: int = YOUNG) -> None:
    """Take what is in memory by now, the modules above all, for permanent, and the rest up more rarely.

    Young objects are looked at once there are ``young`` more of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, _MIDDLE, _OLD)
