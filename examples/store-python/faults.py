#!/usr/bin/python3
"""The store of store.py with a fault, so that one can see the exam find it.

    faults.py repeated-batch --listen 127.0.0.1:7411 records.sqlite
    kantoku conformance store --target 127.0.0.1:7411

Each fault is one that is easily made, and that nobody sees until a computer fails or two servers meet.
"""

import sys

import store


class LostCommit(store.Store):
    """Answers a commit before it is kept: what the last one put is gone when the partition is opened again."""

    def __init__(self, path):
        super().__init__(path)
        self._unkept = {}

    def _commit(self, writer, parts):
        super()._commit(writer, parts)
        owner = parts[0].owner
        self._unkept[owner.component, owner.partition] = [
            change for part in parts for change in part.changes if change.WhichOneof("change") == "put"]

    def Open(self, request, context):
        place = (request.owner.component, request.owner.partition)
        with self._transaction() as writer:
            for change in self._unkept.pop(place, []):
                writer.execute("DELETE FROM record WHERE component = ? AND partition = ? AND kind = ? AND key = ?",
                               (*place, change.kind, change.put.key))
        return super().Open(request, context)


class RepeatedBatch(store.Store):
    """Does a batch again when it is repeated."""

    def _commit(self, writer, parts):
        super()._commit(writer, parts)
        for change in (change for part in parts for change in part.changes):
            store.apply(writer, (parts[0].owner.component, parts[0].owner.partition), change)


class ShortScan(store.Store):
    """Takes the end of a range for the first key that is not in it."""

    def Scan(self, request, context):
        request.range.last = max(request.range.last, 1) - 1
        return super().Scan(request, context)


class OldOwner(store.Store):
    """Lets whoever has owned a partition go on."""

    def __init__(self, path):
        super().__init__(path)
        store.check_owner = lambda connection, owner: store.ownership(connection, owner)[1]


class NarrowErase(store.Store):
    """Erases a range but for its last key."""

    def __init__(self, path):
        super().__init__(path)
        apply = store.apply

        def narrow(writer, place, change):
            if change.erase.last > change.erase.first:
                change.erase.last -= 1
            apply(writer, place, change)

        store.apply = narrow


FAULTS = {
    "lost-commit": LostCommit,
    "repeated-batch": RepeatedBatch,
    "short-scan": ShortScan,
    "old-owner": OldOwner,
    "narrow-erase": NarrowErase,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in FAULTS:
        sys.exit(f"faults.py: name a fault first: {', '.join(FAULTS)}")
    store.main(FAULTS[sys.argv.pop(1)])
