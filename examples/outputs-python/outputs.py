#!/usr/bin/python3
"""An Outputs of one's own for Kantoku: results in one SQLite file, behind kantoku.outputs.v1.

    outputs.py --listen 127.0.0.1:7421 --keys mac.keys results.sqlite

Inputs, executors and clients of Kantoku use it as they use ours: `inputs.outputs_address` is where it listens. It keeps
results and fences; README.md says what it leaves out. `mac.keys` is the file of `server.mac_key_file`, which Inputs has.
"""

import argparse
import concurrent.futures
import hashlib
import hmac
import os
import queue
import signal
import sqlite3
import struct
import sys
import threading
import time

try:
    import grpc
    from google.protobuf import any_pb2
    from kantoku.outputs.v1 import outputs_pb2 as pb
    from kantoku.outputs.v1 import outputs_pb2_grpc
except ImportError as missing:
    sys.exit(f"outputs: {missing}; README.md says what to install, and where PYTHONPATH has to point")

MAX_MESSAGE_BYTES = 32 << 20
MAX_TEXT = 4096
MAX_CALLS, MAX_AWAITS = 100, 80  # At once. An Await keeps a thread as long as it lives, and others need some.
MIN_SECRET_BYTES = 32
LEASE, RECEIPT, SERVICE = 1, 2, 3  # What a code is for.
CODE_BYTES = 17
OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION = 0, 3, 5, 6, 7, 9

SCHEMA = """
CREATE TABLE IF NOT EXISTS result (
  task BLOB PRIMARY KEY, status INTEGER NOT NULL, dispatch INTEGER NOT NULL, ended_at INTEGER NOT NULL,
  content_type TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fence (task BLOB PRIMARY KEY, dispatch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epoch (slot INTEGER PRIMARY KEY, epoch INTEGER NOT NULL);
"""


class Keys:
    """The keys that Inputs and Outputs share, and the tokens made with them: a format byte, the fields, their code."""

    def __init__(self, path):
        """ValueError or OSError, which say what is wrong with the file."""
        with open(path, encoding="ascii") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ValueError(f"{path}: others than its owner can read it")
            lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
        try:
            self._keys = [(int(number), bytes.fromhex(secret)) for number, secret in (line.split(":") for line in lines)]
        except ValueError:
            raise ValueError(f"{path}: a line is not number:secret in hex") from None  # Which may show the secret.
        if not self._keys or any(len(secret) < MIN_SECRET_BYTES for _, secret in self._keys):
            raise ValueError(f"{path}: has no key, or one of fewer than {MIN_SECRET_BYTES} bytes")

    def seal(self, purpose, fields):
        number, secret = self._keys[0]  # The first one signs, all verify.
        return fields + self._code(number, secret, purpose, fields)

    def open(self, purpose, token):
        """A reader of the fields, or None when the token is not genuine."""
        fields, code = token[:-CODE_BYTES], token[-CODE_BYTES:]
        genuine = any(hmac.compare_digest(code, self._code(number, secret, purpose, fields))
                      for number, secret in self._keys)
        return Fields(fields[1:]) if genuine and fields[:1] == b"\1" else None

    @staticmethod
    def _code(number, secret, purpose, fields):
        return bytes([number]) + hmac.digest(secret, bytes([purpose]) + fields, hashlib.sha256)[:CODE_BYTES - 1]


class Fields:
    def __init__(self, data):
        self._data, self._at = data, 0

    def take(self, size):
        self._at += size
        return self._data[self._at - size:self._at]

    def integer(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.integer(2)).decode()


class Lease:
    """This session holds this dispatch of this task."""

    def __init__(self, fields):
        self.task, self.dispatch, self.session = fields.take(16), fields.integer(4), fields.take(16)
        for _ in ("subject", "client id", "namespace", "owner"):  # All of whom are one here.
            fields.text()
        self.expires = fields.integer(8) / 1e9


class Outputs(outputs_pb2_grpc.OutputsServiceServicer):
    """Whoever is first with the end of a task wins for good. Nothing is answered before it is durable."""

    def __init__(self, path, keys):
        self._keys = keys
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")  # Who waits in another process would not hear of a result.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")  # What is answered survives a loss of power.
        self._db.executescript(SCHEMA)
        self._waiters = set()  # A queue for each Await.

    def Put(self, request, context):
        if not is_id(request.session_id):
            abort(context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ID", "session_id: has not 16 bytes")
        with self._transaction() as ended:
            results = [self._put(item, request.session_id, ended) for item in request.items]
        return pb.PutResponse(results=results)

    def _put(self, item, session, ended):
        fields = self._keys.open(LEASE, item.lease_token)
        lease = Lease(fields) if fields else None
        if lease is None or lease.session != session or lease.expires <= time.time():
            return refused(pb.PutResult(), PERMISSION_DENIED, "INVALID_LEASE", "lease_token is not genuine, or over")
        if item.item_count:
            return refused(pb.PutResult(), FAILED_PRECONDITION, "ITEMS_MISSING", "items are not kept here")
        found = self._find(lease.task)
        if found and (found.status, found.dispatch) != (pb.RESULT_STATUS_SUCCEEDED, lease.dispatch):
            answer = pb.PutResult(winner=found.status)
            return refused(answer, ALREADY_EXISTS, "HAS_RESULT", "the task has another result")
        if not found:
            if lease.dispatch <= self._fenced(lease.task):
                return refused(pb.PutResult(), FAILED_PRECONDITION, "FENCED", "the dispatch was closed")
            self._store(ended, lease.task, pb.RESULT_STATUS_SUCCEEDED, lease.dispatch, item.content_type, data=item.data)
        receipt = struct.pack(">B16sIBQ", 1, lease.task, lease.dispatch, pb.RESULT_STATUS_SUCCEEDED, 0)
        return pb.PutResult(receipt=self._keys.seal(RECEIPT, receipt))

    def Fence(self, request, context):
        self._check_service(context)
        with self._transaction() as ended:
            for slot in {slot_of(item.task_id) for item in request.items if is_id(item.task_id)}:
                row = self._db.execute("SELECT epoch FROM epoch WHERE slot = ?", (slot,)).fetchone()
                if row and row[0] > request.epoch:
                    # The reason is what Inputs goes by: it stops for good.
                    abort(context, grpc.StatusCode.ABORTED, "STALE_EPOCH", f"epoch {row[0]} of slot {slot} was seen")
                self._db.execute("INSERT OR REPLACE INTO epoch VALUES (?, ?)", (slot, request.epoch))
            results = [self._fence(item, ended) for item in request.items]
        return pb.FenceResponse(results=results)

    def _fence(self, item, ended):
        if not is_id(item.task_id):
            return refused(pb.FenceResult(), INVALID_ARGUMENT, "INVALID_ID", "task_id has not 16 bytes")
        if item.HasField("settlement") and item.settlement.status not in (pb.RESULT_STATUS_FAILED, pb.RESULT_STATUS_CANCELLED):
            return refused(pb.FenceResult(), INVALID_ARGUMENT, "INVALID_STATUS", "settlement.status is not FAILED or CANCELLED")
        found = self._find(item.task_id)
        if found:
            return pb.FenceResult(terminal=found.status)
        self._db.execute("INSERT INTO fence VALUES (?, ?) ON CONFLICT DO UPDATE SET dispatch = max(dispatch, excluded.dispatch)",
                         (item.task_id, item.dispatch))
        if not item.HasField("settlement"):
            return pb.FenceResult()
        end = item.settlement
        self._store(ended, item.task_id, end.status, item.dispatch, "", end.error.reason, end.error.message[:MAX_TEXT])
        return pb.FenceResult(terminal=end.status)

    def Get(self, request, context):
        with self._lock:
            found = [self._find(task) for task in request.task_ids]
        for result in found:
            if result and request.statuses_only:
                strip(result)
        return pb.GetResponse(results=[
            pb.GetResult(result=result) if result else refused(pb.GetResult(), NOT_FOUND, "UNKNOWN_TASK", "it has no result")
            for result in found])

    def Await(self, requests, context):
        news = queue.Queue()  # What was asked for, what is forgotten, what has ended, and the end of asking.
        with self._lock:
            full = len(self._waiters) >= MAX_AWAITS
            if not full:
                self._waiters.add(news)
        if full:
            abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", f"there are {MAX_AWAITS} calls of Await")
        try:
            threading.Thread(target=read_futures, args=(requests, news), daemon=True).start()
            context.add_callback(lambda: news.put(("end", ())))
            yield from self._resolve(news, context)
        finally:
            with self._lock:
                self._waiters.discard(news)

    def _resolve(self, news, context):
        awaited, asking = set(), True
        while context.is_active() and (asking or awaited):
            what, tasks = news.get()
            if what == "ask":
                awaited.update(tasks)
            elif what == "forget":
                awaited.difference_update(tasks)
            asking = asking and what != "end"
            with self._lock:  # A task that ends from now on is news.
                found = [result for task in awaited.intersection(tasks) if (result := self._find(task))]
            awaited.difference_update(result.task_id for result in found)
            for result in found:
                yield pb.AwaitResponse(results=[pb.AwaitResult(task_id=result.task_id, result=result)])

    def _transaction(self):
        return Transaction(self._db, self._lock, self._waiters)

    def _store(self, ended, task, status, dispatch, content_type, reason="", message="", data=b""):
        self._db.execute("INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                         (task, status, dispatch, time.time_ns() // 1_000_000, content_type, reason, message, data))
        ended.append(task)

    def _find(self, task):
        row = self._db.execute("SELECT status, dispatch, ended_at, content_type, reason, message, data FROM result WHERE task = ?",
                               (task,)).fetchone()
        if not row:
            return None
        result = pb.Result(task_id=task, status=row[0], dispatch=row[1], content_type=row[3], data=row[6])
        result.ended_at.FromMilliseconds(row[2])
        if row[0] != pb.RESULT_STATUS_SUCCEEDED:
            result.error.reason, result.error.message = row[4], row[5]
        return result

    def _fenced(self, task):
        row = self._db.execute("SELECT dispatch FROM fence WHERE task = ?", (task,)).fetchone()
        return row[0] if row else 0

    def _check_service(self, context):
        """Only Inputs closes dispatches and ends tasks."""
        shown = dict(context.invocation_metadata()).get("kantoku-service-bin", b"")
        fields = self._keys.open(SERVICE, shown)
        if fields is None or fields.text() != "inputs" or fields.integer(8) / 1e9 <= time.time():
            abort(context, grpc.StatusCode.PERMISSION_DENIED, "NOT_A_SERVICE", "who calls is not Inputs")


class Transaction:
    """What is stored inside is durable when it is left, and then those who wait hear of it; none of it after an error."""

    def __init__(self, db, lock, waiters):
        self._db, self._lock, self._waiters, self._ended = db, lock, waiters, []

    def __enter__(self):
        self._lock.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except BaseException:  # There is no __exit__ for what was not entered.
            self._lock.release()
            raise
        return self._ended

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self._db.execute("COMMIT")
                for news in self._waiters if self._ended else ():
                    news.put(("ended", tuple(self._ended)))
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._lock.release()


def read_futures(requests, news):
    try:
        for request in requests:
            news.put(("forget", tuple(request.forget)))
            news.put(("ask", tuple(request.task_ids)))
    except Exception:  # The caller is gone, as gRPC for Python says it.
        pass
    news.put(("end", ()))


def is_id(value):
    return len(value) == 16


def slot_of(task):
    return int.from_bytes(task[6:8], "big") & 0xFFF


def strip(result):
    """Leaves how the task ended."""
    result.ClearField("data")
    result.ClearField("content_type")
    if result.HasField("error"):
        result.error.ClearField("message")


def refused(answer, code, reason, message):
    answer.status.code, answer.status.reason, answer.status.message = code, reason, message
    return answer


def abort(context, code, reason, message):
    """Ends the call as Kantoku does: with a google.rpc.Status whose details are an ErrorInfo with the reason."""
    info = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=field(1, reason.encode()))
    status = bytes([0x08, code.value[0]]) + field(2, message.encode()) + field(3, info.SerializeToString())
    context.set_trailing_metadata((("grpc-status-details-bin", status),))
    context.abort(code, message)


def field(number, data):
    """Of a message of Protobuf; the few that are made here are short."""
    return bytes([number << 3 | 2, len(data)]) + data


def main(make_outputs=Outputs):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:7421", help="host:port, port 0 for a free one, or unix:PATH")
    parser.add_argument("--keys", required=True, help="the file of server.mac_key_file")
    parser.add_argument("file")
    arguments = parser.parse_args()
    if not arguments.listen.startswith(("127.0.0.1:", "unix:")):
        parser.error("--listen: only this computer may reach it, as it asks nobody who he is")
    os.umask(0o077)  # What tasks return is their owners' alone.
    try:
        outputs = make_outputs(arguments.file, Keys(arguments.keys))
    except (OSError, ValueError) as error:
        sys.exit(f"outputs: {error}")
    except sqlite3.Error as error:
        sys.exit(f"outputs: {arguments.file}: {error}")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=MAX_CALLS),
                         options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)])
    outputs_pb2_grpc.add_OutputsServiceServicer_to_server(outputs, server)
    port = server.add_insecure_port(arguments.listen)
    if port == 0:
        sys.exit(f"outputs: cannot listen at {arguments.listen}")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    address = arguments.listen if arguments.listen.startswith("unix:") else f"{arguments.listen.rpartition(':')[0]}:{port}"
    print(f"serving at {address}", flush=True)
    ended.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
