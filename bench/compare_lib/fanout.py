"""What a line to N receivers costs the server, for each of them.

One sender and N receivers. The sender sends a burst of lines, every receiver reads all of it, then
comes the next burst; each receiver's lines are counted and the last is compared."""

import contextlib
import os
import re
import select
import socket
import time
from dataclasses import asdict, dataclass

from . import arguments, catalogue, rounds
from .console import out
from .process import Failure, Server, busy_seconds, cpu_seconds, resident_bytes

FLOOR = "bare_fanout"
PEERS = (FLOOR, "bare_io_uring_fanout", "libuv_fanout", "libev_fanout", "libevent_fanout",
         "asio_chat", "thread_chat")
PATIENCE_S = 60
LINE = b"x" * 63 + b"\n"
BURSTS = {1: 40, 8: 10}  # {lines in a burst: bursts in a run}
# Not written to stand a receiver that does not read, each for a reason of its own.
STANDS_NO_SILENCE = {"asio_chat": "keeps everything for a receiver that does not read, as its "
                                  "example does",
                     "thread_chat": "waits for a receiver that does not read, as such servers do"}
CHECKED_RECEIVERS = 5
CHECKED_LINES, CHECKED_LINE_BYTES, CHECKED_BURSTS = 256, 256, 128
PIECES_BYTES = (37, 1000, 1 << 20)
NOTICE = re.compile(rb"^(?:\[lobby\] )?-- .*\n", re.MULTILINE)
SILENT_LIMIT_BYTES = 4 * 1024 * 1024


def register(commands):
    parser = commands.add_parser(
        "fanout", help="one line to many: tern chat, a bare loop of sends, each library, threads")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_servers(parser)
    arguments.add_rounds(parser, 7, "; 20 to decide anything")
    parser.add_argument("--receivers", type=arguments.positive(int), default=1000, metavar="N",
                        help="(default: 1000)")


def run(session):
    servers = choose_servers(session, session.options.servers)
    return report(session, servers, session.options.receivers)


@dataclass
class SenderRun:
    """One round of one server, of which only the CPU is of interest."""
    cpu_us_per_message: float
    foreign_share: float


def tern_command(build):
    return [os.path.join(build, "tern"), "chat", "--listen", "tcp://127.0.0.1:0", "--workers", "1",
            "--flood", "off"]


def choose_servers(session, wanted=None):
    """Returns {name: command}, the floor first; `wanted` is None for all that are built."""
    commands = {name: [catalogue.peer_program(session, name)] for name in PEERS}
    commands.update({name: tern_command(own) for name, own in session.terns.items()})
    return catalogue.those_built(session, commands, FLOOR, wanted)


def joins(command):
    return "chat" in command


class FanoutClient:
    """The connections of the sender and of its receivers; a context manager."""

    def __init__(self, server, receivers, joins):
        self._server = server
        self._joins = joins
        self._sockets = []
        self._poll = select.epoll()
        try:
            for _ in range(receivers + 1):
                self._sockets.append(socket.create_connection(("127.0.0.1", server.port),
                                                              PATIENCE_S))
            for connection in self._sockets:
                self._join(connection)
            self._by_number = {connection.fileno(): connection for connection in self._sockets[1:]}
            for number, connection in self._by_number.items():
                connection.setblocking(False)
                self._poll.register(number, select.EPOLLIN)
            self._settle()
        except OSError as error:
            self._close()
            raise self._failure(str(error)) from error
        except Failure:
            self._close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()

    def _close(self):
        self._poll.close()
        for connection in self._sockets:
            connection.close()

    def _failure(self, what):
        return Failure(f"{self._server.name}: fan-out: {what}")

    def _receive(self, connection):
        data = connection.recv(1 << 16)
        if not data:
            raise self._failure("closed a connection too early")
        return data

    def _join(self, connection):
        if not self._joins:
            return
        connection.sendall(b"/join lobby\n")
        data = b""
        while not re.search(rb"-- you are in lobby.*\n", data):
            data += self._receive(connection)

    def _settle(self):
        """Until all are there, which a server without names does not tell: until a line of the
        sender's has reached everybody. All that came before it has been read then."""
        for attempt in range(PATIENCE_S):
            marker = b"settled %d\n" % attempt
            self._sockets[0].sendall(marker)
            tails = dict.fromkeys(self._by_number, b"")
            while tails and (events := self._poll.poll(1)):
                for number, _ in events:
                    data = tails.get(number, b"") + self._receive(self._by_number[number])
                    tails[number] = data[-100:]
                    if data.endswith(marker):
                        del tails[number]
            if not tails:
                return
        raise self._failure("not everybody hears the sender")

    def burst(self, lines):
        self._sockets[0].sendall(LINE * lines)
        missing = dict.fromkeys(self._by_number, lines)
        while missing:
            events = self._poll.poll(PATIENCE_S)
            if not events:
                raise self._failure(f"{len(missing)} receivers wait in vain")
            for number, _ in events:
                data = self._receive(self._by_number[number])
                missing[number] = missing.get(number, 0) - data.count(b"\n")
                if missing[number] == 0 and data.endswith(LINE):
                    del missing[number]
                elif missing[number] <= 0:
                    raise self._failure("a receiver did not get what was sent")

    def add_silent(self):
        """One more receiver, which never reads and lets the kernel keep little for it."""
        connection = socket.socket()
        self._sockets.append(connection)
        connection.settimeout(PATIENCE_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            connection.connect(("127.0.0.1", self._server.port))
            self._join(connection)
        except OSError as error:
            raise self._failure(str(error)) from error

    def relay(self, lines, piece_bytes):
        """Every receiver must hear these lines, whole and in order, however they were cut; a
        server with names may put one before each, and says who comes and goes."""
        text = b"".join(lines)
        missing = set(self._by_number)
        heard = dict.fromkeys(self._by_number, b"")
        try:
            for start in range(0, len(text), piece_bytes):
                self._sockets[0].sendall(text[start:start + piece_bytes])
            while missing:
                events = self._poll.poll(PATIENCE_S)
                if not events:
                    raise self._failure(f"{len(missing)} receivers wait in vain")
                for number, _ in events:
                    heard[number] += self._receive(self._by_number[number])
                    if self._joins:
                        heard[number] = NOTICE.sub(b"", heard[number])
                    if heard[number].count(b"\n") >= len(lines):
                        missing.discard(number)
        except OSError as error:
            raise self._failure(str(error)) from error
        for own in heard.values():
            own = own.splitlines(keepends=True)
            if len(own) != len(lines) or not all(
                    line.endswith(said) if self._joins else line == said
                    for line, said in zip(own, lines)):
                raise self._failure("a receiver did not get what was sent")


@contextlib.contextmanager
def on_cpu(cpu):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_once(session, name, command, receivers, lines, bursts):
    """CPU time of one delivery. The sender and the receivers are here, on the loader's CPU."""
    cpus = {session.server_cpu, session.loader_cpu}
    with on_cpu(session.loader_cpu), Server(name, command, session.server_cpu) as server, \
            FanoutClient(server, receivers, joins(command)) as client:
        for _ in range(bursts // 10 + 1):
            client.burst(lines)
        busy_before, own_before, server_before = (
            busy_seconds(cpus), time.process_time(), cpu_seconds(server.pid))
        started = time.monotonic()
        for _ in range(bursts):
            client.burst(lines)
        elapsed = time.monotonic() - started
        server_s = cpu_seconds(server.pid) - server_before
        own_s = time.process_time() - own_before
        foreign_s = max(0.0, busy_seconds(cpus) - busy_before - server_s - own_s)
    return SenderRun(server_s * 1e6 / (bursts * lines * receivers),
                     foreign_s / elapsed / len(cpus))


def numbered_lines(burst):
    return [b"%08d %s\n" % (burst * CHECKED_LINES + number, b"x" * (CHECKED_LINE_BYTES - 10))
            for number in range(CHECKED_LINES)]


def check(name, command, cpu):
    """Returns the growth of the server while one receiver never reads, or None for a server that
    does not stand one."""
    with Server(name, command, cpu) as server, \
            FanoutClient(server, CHECKED_RECEIVERS, joins(command)) as client:
        for burst, piece_bytes in enumerate(PIECES_BYTES):
            client.relay(numbered_lines(burst), piece_bytes)
        if name in STANDS_NO_SILENCE:
            return None
        before = resident_bytes(server.pid)
        client.add_silent()
        for burst in range(CHECKED_BURSTS):
            client.relay(numbered_lines(burst), PIECES_BYTES[-1])
        growth = resident_bytes(server.pid) - before
        if growth > SILENT_LIMIT_BYTES:
            raise Failure(f"{name}: grew by {growth:,} bytes for a receiver that never reads")
        return growth


def report_check(session, servers):
    out("\nFan-out: every line, whole and in order; a receiver that never reads costs no other a "
        "line, and little memory; exit 0 on SIGTERM")
    results = {}
    for name, command in servers.items():
        growth = check(name, command, session.server_cpu)
        results[name] = {"server_growth_bytes": growth}
        told = (STANDS_NO_SILENCE[name] if growth is None else
                f"{CHECKED_BURSTS * CHECKED_LINES * CHECKED_LINE_BYTES:,} B for a silent receiver, "
                f"the server grew by {growth:,} B")
        out(f"  {name:<22}ok   {told}")
    return results


def report(session, servers, receivers):
    results = {}
    for lines, bursts in BURSTS.items():
        title = f"{receivers}x{lines}"
        runs = rounds.in_rounds(
            session, f"fan-out {title}", servers,
            lambda name, command, lines=lines, bursts=bursts: run_once(
                session, name, command, receivers, lines, bursts))
        out(f"\nfan-out {title}: {receivers:,} receivers, bursts of {lines} of {len(LINE)} B; "
            f"{session.options.rounds} rounds, server on CPU {session.server_cpu}")
        metric, _, style = rounds.METRICS[0]
        comparison = rounds.print_metric(runs, metric, "server CPU, us per delivery", style)
        results[title] = {"comparisons": {metric: comparison},
                          "runs": {name: [asdict(run) for run in own]
                                   for name, own in runs.items()}}
    return results
