#!/usr/bin/python3
"""A store of one's own for Kantoku: the records of Inputs, Outputs and Events in one SQLite file.

    store.py --listen 127.0.0.1:7411 records.sqlite

It serves kantoku.store.v1.StoreService and keeps what protos/kantoku/store/v1/store.proto asks for; a service uses it
with `store: {remote: {address: "127.0.0.1:7411", plaintext: true}}`. README.md says how to make the stubs and how to try it.
"""

import argparse
import concurrent.futures
import os
import signal
import sqlite3
import sys
import threading

import grpc
from kantoku.store.v1 import store_pb2 as pb
from kantoku.store.v1 import store_pb2_grpc

MAX_MESSAGE_BYTES = 32 << 20
PAGE_BYTES = 1 << 20

SCHEMA = """
CREATE TABLE IF NOT EXISTS partition (
  component TEXT, number INTEGER, format INTEGER NOT NULL, epoch INTEGER NOT NULL, last_batch INTEGER NOT NULL,
  PRIMARY KEY (component, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
  component TEXT, partition INTEGER, kind INTEGER, key INTEGER, value BLOB NOT NULL,
  PRIMARY KEY (component, partition, kind, key)) WITHOUT ROWID;
"""


class Refused(Exception):
    """Ends a call with a code that the protocol knows; nothing has changed."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Store(store_pb2_grpc.StoreServiceServicer):
    """One connection writes, and every read has one of its own, so that it sees one state of the file as a whole."""

    def __init__(self, path):
        self._path = path
        self._writing = threading.Lock()
        self._writer = self._connect()
        if self._writer.execute("PRAGMA journal_mode=WAL").fetchone() != ("wal",):
            raise OSError(f"{path}: SQLite cannot have a log here, without which reads would hold up commits")
        self._writer.executescript(SCHEMA)

    def _connect(self):
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=FULL")  # What is answered survives a loss of power.
        return connection

    def Open(self, request, context):
        place = (request.owner.component, request.owner.partition)
        with answered(context), self._transaction() as writer:
            kept = writer.execute("SELECT format FROM partition WHERE component = ? AND number = ?", place).fetchone()
            if kept and kept[0] > request.format:
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION,
                              f"{place[0]}/{place[1]} is of format {kept[0]}, which is newer than {request.format}")
            writer.execute("INSERT INTO partition VALUES (?, ?, ?, 1, 0) "
                           "ON CONFLICT DO UPDATE SET format = excluded.format, epoch = epoch + 1",
                           (*place, request.format))
            epoch, last_batch = ownership(writer, request.owner)
            return pb.OpenResponse(epoch=epoch, last_batch=last_batch)

    def GetLastBatch(self, request, context):
        with answered(context), self._snapshot(request.owner) as (_, last_batch):
            return pb.GetLastBatchResponse(number=last_batch)

    def Commit(self, request_iterator, context):
        with answered(context):
            parts = list(request_iterator)
            if not parts or not parts[-1].last:
                raise Refused(grpc.StatusCode.CANCELLED, "the last part did not come")
            with self._transaction() as writer:
                self._commit(writer, parts)
            return pb.CommitResponse()

    def _commit(self, writer, parts):
        owner, number, previous = parts[0].owner, parts[0].number, parts[0].previous
        last_batch = check_owner(writer, owner)
        if number == last_batch:
            return
        if number < last_batch:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"batch {number} is older than {last_batch}")
        if previous != last_batch:
            raise Refused(grpc.StatusCode.DATA_LOSS, f"batch {number} follows {previous}, and {last_batch} is the last")
        place = (owner.component, owner.partition)
        for change in (change for part in parts for change in part.changes):
            apply(writer, place, change)
        writer.execute("UPDATE partition SET last_batch = ? WHERE component = ? AND number = ?", (number, *place))

    def Read(self, request, context):
        place = (request.owner.component, request.owner.partition, request.kind)
        with answered(context), self._snapshot(request.owner) as (reader, _):
            rows = (row for key in request.keys for row in reader.execute(
                "SELECT key, value FROM record WHERE component = ? AND partition = ? AND kind = ? AND key = ?",
                (*place, key)))
            for page in pages(rows):
                yield pb.ReadResponse(records=page)

    def Scan(self, request, context):
        place = (request.owner.component, request.owner.partition, request.kind)
        order = "DESC" if request.descending else "ASC"
        with answered(context), self._snapshot(request.owner) as (reader, _):
            rows = reader.execute(
                "SELECT key, value FROM record WHERE component = ? AND partition = ? AND kind = ? "
                f"AND key BETWEEN ? AND ? ORDER BY key {order} LIMIT ?",
                (*place, request.range.first, request.range.last, request.limit or -1))
            for page in pages(rows):
                yield pb.ScanResponse(records=page)

    def _transaction(self):
        return Transaction(self._writer, self._writing)

    def _snapshot(self, owner):
        return Snapshot(self._connect(), owner)


class Transaction:
    """All of what is written inside, durable when it is left; none of it after an error."""

    def __init__(self, connection, lock):
        self._connection, self._lock = connection, lock

    def __enter__(self):
        self._lock.acquire()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # SQLite ends it itself after some errors.
                self._connection.execute("ROLLBACK")
            self._lock.release()


class Snapshot:
    """A connection that sees one state, and the last batch of that state, for the owner alone."""

    def __init__(self, connection, owner):
        self._connection, self._owner = connection, owner

    def __enter__(self):
        try:
            self._connection.execute("BEGIN")
            return self._connection, check_owner(self._connection, self._owner)
        except BaseException:
            self._connection.close()
            raise

    def __exit__(self, kind, error, trace):
        self._connection.close()


class answered:
    """Gives refusals and SQLite's errors the codes of the protocol."""

    def __init__(self, context):
        self._context = context

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Refused):
            self._context.abort(error.code, str(error))
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            self._context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        if isinstance(error, sqlite3.OperationalError):
            self._context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        if type(error) is sqlite3.DatabaseError:  # Malformed, or no database.
            self._context.abort(grpc.StatusCode.DATA_LOSS, str(error))


def ownership(connection, owner):
    row = connection.execute("SELECT epoch, last_batch FROM partition WHERE component = ? AND number = ?",
                             (owner.component, owner.partition)).fetchone()
    return row or (0, 0)


def check_owner(connection, owner):
    """The number of the last batch; refuses who is not the owner any more."""
    epoch, last_batch = ownership(connection, owner)
    if owner.epoch != epoch:
        raise Refused(grpc.StatusCode.ABORTED, f"epoch {owner.epoch} is over, it is {epoch} now")
    return last_batch


def apply(writer, place, change):
    if change.WhichOneof("change") == "put":
        writer.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)",
                       (*place, change.kind, change.put.key, change.put.value))
    elif change.WhichOneof("change") == "erase":
        writer.execute("DELETE FROM record WHERE component = ? AND partition = ? AND kind = ? AND key BETWEEN ? AND ?",
                       (*place, change.kind, change.erase.first, change.erase.last))
    else:
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "a change that this program does not know")


def pages(rows):
    """Lists of records that fit into messages."""
    page, size = [], 0
    for key, value in rows:
        if page and size + len(value) > PAGE_BYTES:
            yield page
            page, size = [], 0
        page.append(pb.Record(key=key, value=value))
        size += len(value) + 16
    if page:
        yield page


def main(make_store=Store):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:7411", help="host:port, port 0 for a free one, or unix:PATH")
    parser.add_argument("file")
    arguments = parser.parse_args()
    if not arguments.listen.startswith(("127.0.0.1:", "unix:")):
        parser.error("--listen: only this computer may reach it, as it asks nobody who he is")
    os.umask(0o077)  # What tasks carry is their owners' alone.
    # Every partition has two callers at a time, and a program that asks for all of them has a few partitions.
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=32),
                         options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)])
    store_pb2_grpc.add_StoreServiceServicer_to_server(make_store(arguments.file), server)
    port = server.add_insecure_port(arguments.listen)
    if port == 0:
        sys.exit(f"store: cannot listen at {arguments.listen}")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    address = arguments.listen if arguments.listen.startswith("unix:") else f"{arguments.listen.rpartition(':')[0]}:{port}"
    print(f"serving at {address}", flush=True)
    ended.wait()
    server.stop(grace=5).wait()


if __name__ == "__main__":
    main()
