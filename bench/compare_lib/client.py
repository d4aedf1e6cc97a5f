"""A client in lockstep for counting and for memory: it sends one batch on every connection, then
receives every reply. It is slow and that does not matter, because what it drives is counted and not
timed."""

import contextlib
import os
import socket
import ssl
import struct

from .process import Failure

REPLY_TIMEOUT_S = 30


def payload(connection_index, byte_count):
    """A pattern of its own for each connection, so that bytes sent to the wrong one are noticed."""
    return bytes((connection_index * 7 + offset) % 251 for offset in range(byte_count))


def secure(connection, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is a server of ours
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(connection)
    except OSError as error:
        raise Failure(f"{name}: TLS: {error}") from error


class Client:
    """Connections to one server; a context manager."""

    def __init__(self, server, message_bytes, depth=1):
        self._server = server
        self._depth = depth
        self._batch_bytes = message_bytes * depth
        self._connections = []  # of (socket, batch)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for connection, _ in self._connections:
            connection.close()
        self._connections.clear()

    def open(self, count):
        """Opens `count` more connections and has each echo one batch."""
        for _ in range(count):
            index = len(self._connections)
            address = ("127.0.0.1", self._server.port)
            try:
                connection = socket.create_connection(address, REPLY_TIMEOUT_S)
            except OSError as error:
                raise Failure(f"{self._server.name}: connection {index + 1}: {error}; "
                              "descriptor limit and port range must allow them all") from error
            # A kernel timeout instead of Python's, which would poll before each receive. Reset on
            # close, so that no port stays behind in TIME_WAIT for the next server.
            connection.settimeout(None)
            timeout = struct.pack("ll", REPLY_TIMEOUT_S, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._server.scheme == "tls":
                connection = secure(connection, self._server.name)
            self._connections.append((connection, payload(index, self._batch_bytes)))
            self._exchange(self._connections[-1:])

    def run(self, messages):
        """Echoes at least this many messages in whole rounds over all connections; returns how
        many."""
        per_round = len(self._connections) * self._depth
        rounds = -(-messages // per_round)
        for _ in range(rounds):
            self._exchange(self._connections)
        return rounds * per_round

    def _exchange(self, connections):
        try:
            for connection, batch in connections:
                connection.sendall(batch)
            for connection, batch in connections:
                reply = b""
                while len(reply) < len(batch):
                    more = connection.recv(len(batch) - len(reply))
                    if not more:
                        raise Failure(f"{self._server.name}: closed a connection too early")
                    reply += more
                if reply != batch:
                    raise Failure(f"{self._server.name}: echoed bytes that were not sent")
        except BlockingIOError as error:
            raise Failure(f"{self._server.name}: no echo within {REPLY_TIMEOUT_S} s") from error
        except OSError as error:
            raise Failure(f"{self._server.name}: {error.strerror}") from error


@contextlib.contextmanager
def lockstep(cpu):
    """Puts this process on the server's CPU under a policy that does not preempt on wake-up. The
    server (started with the same policy) then runs only when all messages of a round are waiting,
    so that each of its waits returns them all and the counts do not depend on anybody's speed."""
    affinity, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, os.sched_param(0))
        os.sched_setaffinity(0, affinity)
