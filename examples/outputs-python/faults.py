#!/usr/bin/python3
"""The Outputs of outputs.py with a fault, so that one can see the exam find it.

    faults.py second-winner --listen 127.0.0.1:7421 --keys mac.keys results.sqlite

README.md says how the exam is held. Each fault is one that is easily made, and that nobody sees until an executor is
slow, or two servers believe to be the one.
"""

import sys

import outputs


class SecondWinner(outputs.Outputs):
    """Keeps the last result of a task, where the first one wins."""

    def _put(self, item, session, ended):
        lease = self._keys.open(outputs.LEASE, item.lease_token)
        if lease:
            self._db.execute("DELETE FROM result WHERE task = ?", (lease.take(16),))
        return super()._put(item, session, ended)


class LostFence(outputs.Outputs):
    """Answers a fence, and lets in whoever was to be kept out."""

    def _fence(self, item, ended):
        answer = super()._fence(item, ended)
        self._db.execute("DELETE FROM fence WHERE task = ?", (item.task_id,))
        return answer


class AnySession(outputs.Outputs):
    """Takes a lease from whoever has it."""

    def _put(self, item, session, ended):
        lease = self._keys.open(outputs.LEASE, item.lease_token)
        return super()._put(item, outputs.Lease(lease).session if lease else session, ended)


class OldEpoch(outputs.Outputs):
    """Lets an Inputs fence that was replaced."""

    def Fence(self, request, context):
        with self._transaction():
            self._db.execute("DELETE FROM epoch")
        return super().Fence(request, context)


class AnybodyFences(outputs.Outputs):
    """Does not ask who fences."""

    def _check_service(self, context):
        pass


FAULTS = {
    "second-winner": SecondWinner,
    "lost-fence": LostFence,
    "any-session": AnySession,
    "old-epoch": OldEpoch,
    "anybody-fences": AnybodyFences,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in FAULTS:
        sys.exit(f"faults.py: name a fault first: {', '.join(FAULTS)}")
    outputs.main(FAULTS[sys.argv.pop(1)])
