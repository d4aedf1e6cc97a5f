"""Whether a server may be compared at all: it must return every byte, and must not hoard for a peer
that does not read. A server that cheats on either is faster for the wrong reason."""

import random
import select
import socket
import time
from ssl import SSLWantReadError, SSLWantWriteError

from .client import secure
from .console import out
from .process import Failure, Server, resident_bytes

SILENT_PEER_LIMIT_BYTES = 4 * 1024 * 1024
STREAM_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 30
PIECE_BYTES = {"tcp": 256 * 1024, "tls": 16 * 1024}  # behind TLS, a record


def connect(server):
    try:
        connection = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
    except OSError as error:
        raise Failure(f"{server.name}: cannot connect to port {server.port}: {error}") from error
    if server.scheme == "tls":
        connection = secure(connection, server.name)
    connection.setblocking(False)
    return connection


def echo_once(connection, message, problem):
    """Sends a message and requires the same bytes within the time limit."""
    connection.settimeout(TIMEOUT_S)
    try:
        connection.sendall(message)
        reply = b""
        while len(reply) < len(message):
            chunk = connection.recv(len(message) - len(reply))
            if not chunk:
                break
            reply += chunk
    except OSError as error:
        raise Failure(f"{problem}: {error}") from error
    if reply != message:
        raise Failure(problem)


def send_until_full(connection, pattern, piece_bytes, name):
    """Sends without ever reading, until the kernel has taken nothing for a while; returns the bytes
    taken."""
    sent = 0
    last_progress = time.monotonic()
    while sent < len(pattern) and time.monotonic() - last_progress < 0.5:
        try:
            sent += connection.send(pattern[sent:sent + piece_bytes])
            last_progress = time.monotonic()
        except (BlockingIOError, SSLWantWriteError):
            time.sleep(0.005)
        except OSError as error:
            raise Failure(f"{name}: {error} after {sent:,} bytes sent without reading") from error
    return sent


def receive_all(connection, pattern, sent, name):
    """Half-closes and reads: every byte sent must come back in order, then the end of the
    stream."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(TIMEOUT_S)
    received = 0
    while True:
        try:
            chunk = connection.recv(1 << 20)
        except OSError as error:
            raise Failure(f"{name}: {error} after {received:,} of {sent:,} bytes") from error
        if not chunk:
            break
        if chunk != pattern[received:received + len(chunk)]:
            raise Failure(f"{name}: wrong byte among {len(chunk):,} after byte {received:,}")
        received += len(chunk)
    if received != sent:
        raise Failure(f"{name}: the stream ended after {received:,} of {sent:,} bytes")


def receive_all_secure(connection, pattern, sent, name):
    """The same behind TLS, where OpenSSL has begun a record that the kernel did not take, which
    must be ended first, and does not read after its own end."""
    received, has_begun, piece_bytes = 0, True, PIECE_BYTES["tls"]
    try:
        while has_begun or received < sent:
            if has_begun:
                try:
                    sent += connection.send(pattern[sent:sent + piece_bytes])
                    has_begun = False
                except SSLWantWriteError:
                    pass
            try:
                chunk = connection.recv(1 << 20)
            except SSLWantReadError:
                writers = [connection] if has_begun else []
                if not any(select.select([connection], writers, [], TIMEOUT_S)):
                    raise Failure(f"{name}: silent after {received:,} of {sent:,} bytes") from None
                continue
            if not chunk:
                raise Failure(f"{name}: the stream ended after {received:,} of {sent:,} bytes")
            if chunk != pattern[received:received + len(chunk)]:
                raise Failure(f"{name}: wrong byte among {len(chunk):,} after byte {received:,}")
            received += len(chunk)
        connection.settimeout(TIMEOUT_S)
        connection.unwrap().close()  # the server says that it ends, too
    except OSError as error:
        raise Failure(f"{name}: {error} after {received:,} of {sent:,} bytes") from error


def check(name, command, cpu):
    """Returns (bytes the silent peer could send, growth of the server meanwhile)."""
    pattern = random.Random(1).randbytes(STREAM_BYTES * 4)
    with Server(name, command, cpu) as server:
        with connect(server) as neighbour, connect(server) as silent:
            echo_once(neighbour, pattern[:64], f"{name}: did not echo 64 bytes")
            before = resident_bytes(server.pid)
            sent = send_until_full(silent, pattern, PIECE_BYTES[server.scheme], name)
            growth = resident_bytes(server.pid) - before
            if sent == len(pattern):
                raise Failure(f"{name}: took {sent:,} bytes from a peer that never reads; "
                              "it has no backpressure")
            if growth > SILENT_PEER_LIMIT_BYTES:
                raise Failure(f"{name}: grew by {growth:,} bytes for a peer that never reads")
            echo_once(neighbour, pattern[64:128],
                      f"{name}: a peer that never reads stopped its neighbour's echo")
            receive = receive_all_secure if server.scheme == "tls" else receive_all
            receive(silent, pattern, sent, name)
    return sent, growth


def report(session, servers, where=""):
    out(f"Every byte back in order{where}, then the end of the stream; a peer that never reads is "
        "held back; exit 0 on SIGTERM")
    results = {}
    for name, command in servers.items():
        sent, growth = check(name, command, session.server_cpu)
        results[name] = {"sent_without_reading_bytes": sent, "server_growth_bytes": growth}
        out(f"  {name:<22}ok   the silent peer sent {sent:,} B, the server grew by {growth:,} B")
    return results
