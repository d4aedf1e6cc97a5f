"""The one way from the tests to the `tern` command: processes, addresses, clients.

Meson gives TERN, the command's path; TERN_RUNNER may hold what runs it (such as `wine`). Nothing
here waits without a deadline: what is late is ended by its number and the test fails, with what the
command had said until then.

  Process   a command: lines of its output as they come, signals, exit code, /proc
  Server    a Process that was waited for until it said `ready`, with its addresses
  Case      a TestCase that makes both and clients, and ends all of them; a server that was not
            ended by its test is drained and must exit with 0
"""
import contextlib
import faulthandler
import functools
import inspect
import os
import random
import re
import resource
import selectors
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TERN = os.environ['TERN']
COMMAND = shlex.split(os.environ.get('TERN_RUNNER', '')) + [TERN]
WINDOWS = TERN.endswith('.exe')
# Not quite Windows: where it differs, and a test would fail for it alone, the test says how.
WINE = COMMAND[0] == 'wine'
# The command's name as it is told to the command: Wine makes a path of Windows from it.
TYPED = 'Z:' + TERN.replace('/', '\\') if WINE else TERN
# Variables that set options must not reach the commands under test.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith('TERN')}
# What must happen is waited for this long; only a failure ever takes it.
PATIENCE_S = 60
# A file of tests that takes longer is ended from within, before Meson ends it from without.
FILE_S = int(os.environ.get('TERN_TEST_FILE_S', 280))
LIVE = set()
# What asks a command to end. Of the events of a Windows console only Ctrl-C can be sent from here.
STOPS = (signal.SIGINT,) if WINDOWS else (signal.SIGTERM, signal.SIGINT)
HANGUPS = () if WINDOWS else (signal.SIGHUP,)

with open(TERN, 'rb') as command_file:
    CONTENT = command_file.read()
# A sanitizer's memory and processor time are its own.
SANITIZED = b'__asan_init' in CONTENT or b'__tsan_init' in CONTENT
del CONTENT

needs_proc = unittest.skipUnless(os.path.isdir('/proc/self/fd') and not WINDOWS and not SANITIZED,
                                 'needs /proc and a command that is not sanitized')
needs_signals = unittest.skipIf(WINDOWS, 'needs signals')
needs_unix = unittest.skipIf(WINDOWS or not hasattr(socket, 'AF_UNIX'), 'needs Unix sockets')
needs_nc = unittest.skipUnless(shutil.which('nc'), 'needs nc (package netcat-openbsd)')


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
        return True
    except OSError:
        return False


needs_ipv6 = unittest.skipUnless(has_ipv6(), 'needs the address ::1')


def raise_descriptor_limit():
    """How many descriptors this process may have, after asking for all it may get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def eventually(condition, what, seconds=None):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + (seconds or PATIENCE_S)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds or PATIENCE_S} s: {what}')
        time.sleep(0.01)  # between two looks


def seed():
    """A seed, printed so that a failure can be repeated with TERN_TEST_SEED."""
    value = int(os.environ.get('TERN_TEST_SEED', random.SystemRandom().randrange(1 << 32)))
    print(f'{inspect.stack()[1].function}: TERN_TEST_SEED={value}', file=sys.stderr)
    return value


def pattern(count, salt=0):
    """`count` bytes in which neighbours differ and no short piece repeats soon."""
    return random.Random(salt).randbytes(count)


class Output:
    """What a process has written to one of its streams so far."""

    def __init__(self, stream):
        self.stream = stream
        self.data = b''
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            piece = os.read(self.stream.fileno(), 65536)
            with self.changed:
                self.data += piece
                self.ended = not piece
                self.changed.notify_all()
            if not piece:
                return

    def text(self):
        with self.changed:
            return self.data.decode(errors='replace').replace('\r\n', '\n')

    def wait(self, enough, deadline):
        """Until enough(data) gives something true, which is returned; None if it never will."""
        with self.changed:
            while True:
                value = enough(self.data)
                if value:
                    return value
                if self.ended or not self.changed.wait(max(0, deadline - time.monotonic())):
                    return enough(self.data) or None


class Process:
    """A started command. `stdout=None`: read here."""

    def __init__(self, *arguments, descriptors=None, file_blocks=None, stdin=subprocess.DEVNULL,
                 stdout=None, environment=None, user=None):
        command = [*COMMAND, *arguments]
        self.name = shlex.join(['tern', *arguments])
        if descriptors is not None:
            # In the shell: exec keeps the process number.
            command = ['sh', '-c', f'ulimit -n {descriptors} && exec "$@"', 'sh', *command]
        if file_blocks is not None:
            # A disk that is full after so many blocks of 512 bytes, for each file.
            command = ['sh', '-c', f'trap "" XFSZ; ulimit -f {file_blocks} && exec "$@"', 'sh',
                       *command]
        self.popen = subprocess.Popen(command, stdin=stdin, stdout=stdout or subprocess.PIPE,
                                      stderr=subprocess.PIPE,
                                      env={**CLEAN, **(environment or {})}, **(user or {}))
        LIVE.add(self.popen)
        self.has_ended = False  # and the test knows
        self.pid = self.popen.pid
        self.stdin = self.popen.stdin
        self.stdout = Output(self.popen.stdout) if self.popen.stdout else None
        self.stderr = Output(self.popen.stderr)

    def said(self):
        """For messages: everything about the process."""
        text = f'$ {self.name}   (exit code {self.popen.poll()})\n'
        if self.stdout:
            text += f'--- its stdout\n{shorten(self.stdout.text())}\n'
        return text + f'--- its stderr\n{shorten(self.stderr.text())}'

    def fail(self, problem):
        self.kill()
        raise AssertionError(f'{problem}\n{self.said()}')

    def wait_line(self, expression, stream=None, seconds=PATIENCE_S, start=0):
        """The match of a whole line of standard output, or of `stream` from byte `start` on."""
        stream = stream or self.stdout
        compiled = re.compile(expression.encode() + rb'\r?\n', re.MULTILINE)
        match = stream.wait(lambda data: compiled.search(data, start), time.monotonic() + seconds)
        return match or self.fail(f'no line like {expression!r}')

    def wait(self, seconds=PATIENCE_S):
        """The exit code; negative for a signal. Afterwards all output has been read."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f'still running after {seconds} s')
        self.has_ended = True
        for output in (self.stdout, self.stderr):
            if output:
                output.thread.join(PATIENCE_S)
        self.close()
        return code

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self):
        """Asks it to end, as a service manager would."""
        self.signal(STOPS[0])

    def kill(self):
        self.has_ended = True
        if self.running():
            self.popen.kill()
        self.popen.wait(PATIENCE_S)
        self.close()

    def close(self):
        LIVE.discard(self.popen)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            # A reader may still wait for what a killed command's heir holds open.
            if stream and not any(output and output.stream is stream and not output.ended
                                  for output in (self.stdout, self.stderr)):
                with contextlib.suppress(OSError):
                    stream.close()

    # --- what Linux knows about it

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def resident_bytes(self):
        # The exact sum; VmRSS is counted in batches.
        with open(f'/proc/{self.pid}/smaps_rollup', encoding='ascii') as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith('Rss:')) * 1024

    def cpu_s(self):
        with open(f'/proc/{self.pid}/stat', encoding='ascii') as stat:
            fields = stat.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def sleeps(self):
        """How often each thread has gone to sleep: one that is not woken does not again."""
        counts = {}
        for task in os.listdir(f'/proc/{self.pid}/task'):
            with open(f'/proc/{self.pid}/task/{task}/status', encoding='ascii') as status:
                counts[task] = next(int(line.split()[1]) for line in status
                                    if line.startswith('voluntary_ctxt_switches'))
        return counts


class Server(Process):
    """A server that listens; `urls` in the order of its options, `url` the first."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.wait_line('ready')
        self.urls = re.findall(r'^listening (.*)$', self.stdout.text(), re.MULTILINE)
        if not self.urls:
            self.fail('no address was announced')
        self.url = self.urls[0]
        self.port = port_of(self.url)

    def statistics(self):
        """The lines of --stats so far, each a dictionary of numbers."""
        lines = re.findall(r'stats (interval=.*)\n', self.stderr.text())
        return [dict(field.split('=') for field in line.split()) for line in lines]

    def aborted(self):
        """How many connections the drain timeout cut, as the last line of the log says."""
        return int(re.search(r'aborted by the drain timeout: (\d+)', self.stderr.text()).group(1))

    def drain(self):
        """Ends it as a service manager would; the exit code."""
        self.stop()
        return self.wait()


def shorten(text, limit=6000):
    if len(text) <= limit:
        return text
    return text[:limit // 2] + f'\n[... {len(text) - limit} characters ...]\n' + text[-limit // 2:]


def port_of(url):
    return int(url.rpartition(':')[2]) if '://' in url else None


def address_of(url):
    """(family, type, address) for the functions of `socket`."""
    if url.startswith('unix:'):
        path = url.removeprefix('unix:')
        return socket.AF_UNIX, socket.SOCK_STREAM, '\0' + path[1:] if path[0] == '@' else path
    scheme, host, port = re.fullmatch(r'(\w+)://\[?(.*?)\]?:(\d+)', url).groups()
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if scheme == 'udp' else socket.SOCK_STREAM
    return family, kind, (host, int(port))


def unused_port():
    """A port for TCP and UDP that nobody has, outside of those that the system gives to others."""
    for _ in range(100):
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            with contextlib.suppress(OSError):
                stream.bind(('127.0.0.1', port))
                datagrams.bind(('127.0.0.1', port))
                return port
    raise AssertionError('every port is in use')


def open_client(url, **options):
    """A connected socket whose calls do not wait for ever."""
    family, kind, address = address_of(url)
    client = socket.socket(family, kind)
    client.settimeout(PATIENCE_S)
    if 'receive_buffer' in options:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options['receive_buffer'])
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def receive(client, count):
    """Exactly `count` bytes; an error if the stream ends before."""
    data = bytearray()
    while len(data) < count:
        piece = client.recv(min(1 << 16, count - len(data)))
        if not piece:
            raise AssertionError(f'the stream ended after {len(data)} of {count} bytes')
        data += piece
    return bytes(data)


def receive_all(client):
    """Everything until the end of the stream."""
    data = bytearray()
    while piece := client.recv(1 << 16):
        data += piece
    return bytes(data)


def is_over(client):
    """Waits for the server's end of an idle connection; true if it was an orderly one."""
    try:
        return client.recv(1) == b''
    except ConnectionError:
        return False


def reset(client):
    """Closes with a reset instead of an orderly end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


def converse(streams, source=None):
    """Sends and receives on all streams (socket, data, portion in bytes) at once until each has its
    answer or its end; with a `source` of numbers portions are random and each stream is ended."""
    sent = [0] * len(streams)
    answers = [bytearray() for _ in streams]
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    with selectors.DefaultSelector() as selector:
        for index, (client, _, _) in enumerate(streams):
            selector.register(client, both, index)
        while selector.get_map():
            ready = selector.select(PATIENCE_S)
            if not ready:
                raise AssertionError('nothing moves: ' + ', '.join(
                    f'{len(answers[key.data])} of {len(streams[key.data][1])} bytes'
                    for key in list(selector.get_map().values())[:10]))
            for key, events in ready:
                client, data, portion = streams[key.data]
                portion = source.randrange(1, portion + 1) if source else portion
                if events & selectors.EVENT_WRITE:
                    sent[key.data] += client.send(data[sent[key.data]:][:portion])
                    if sent[key.data] == len(data):
                        selector.modify(client, selectors.EVENT_READ, key.data)
                        if source:
                            client.shutdown(socket.SHUT_WR)
                if events & selectors.EVENT_READ:
                    piece = client.recv(portion)
                    answers[key.data] += piece
                    if not piece or (not source and len(answers[key.data]) == len(data)):
                        selector.unregister(client)
    return [bytes(answer) for answer in answers]


class Peer:
    """A server for clients under test: serve(connection) runs on a thread for each connection."""

    def __init__(self, serve, family=socket.AF_INET, address=('127.0.0.1', 0)):
        self.serve = serve
        self.problems = []
        self.connections = []
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen(128)
        bound = self.listener.getsockname()
        self.url = (f'tcp://127.0.0.1:{bound[1]}' if family == socket.AF_INET else f'unix:{bound}')
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            self.connections.append(connection)
            thread = threading.Thread(target=self.run, args=[connection], daemon=True)
            self.threads.append(thread)
            thread.start()

    def run(self, connection):
        try:
            with connection:
                self.serve(connection)
        except ConnectionError:
            pass  # a client may leave when it likes
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(repr(error))

    def close(self):
        # close() alone would leave accept() waiting.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE_S)
        if self.problems:
            raise AssertionError(f'the test\'s own server failed: {self.problems}')


@contextlib.contextmanager
def explained(case):
    """A failure also shows what the processes of the test had said."""
    try:
        yield
    except (unittest.SkipTest, KeyboardInterrupt):
        raise
    except BaseException as error:
        if hasattr(error, 'is_explained'):
            raise
        said = ''.join(f'\n{process.said()}' for process in case.processes)
        explanation = AssertionError(f'{type(error).__name__}: {error}{said}')
        explanation.is_explained = True
        raise explanation from error


def explained_test(method):
    @functools.wraps(method)
    def run(self):
        with explained(self):
            method(self)
    return run


class Case(unittest.TestCase):
    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name, method in list(vars(cls).items()):
            if name.startswith('test'):
                setattr(cls, name, explained_test(method))

    @contextlib.contextmanager
    def subTest(self, *message, **parameters):
        with super().subTest(*message, **parameters), explained(self):
            yield

    def setUp(self):
        self.processes = []

    def process(self, *arguments, **options):
        process = Process(*arguments, **options)
        self.processes.append(process)
        self.addCleanup(process.kill)
        return process

    def serve(self, *arguments, command='echo', listen='tcp://127.0.0.1:0', **options):
        """A server on `listen`, one URL or several, with one worker if nothing else is said."""
        addresses = [listen] if isinstance(listen, str) else listen or []
        parts = [part for address in addresses for part in ('--listen', address)]
        if command == 'echo' and '--workers' not in arguments:
            parts += ['--workers', '1']
        server = Server(command, *parts, *arguments, **options)
        self.processes.append(server)
        self.addCleanup(self.end, server)
        return server

    def assert_quiet(self, server, seconds=1, sleeps=20, cpu_share=0.2):
        """Watches the server for a while: it is not busy with anything."""
        sleeps_before, cpu_before = server.sleeps(), server.cpu_s()
        time.sleep(seconds)  # the time of the measurement
        after = server.sleeps()
        for task, count in sleeps_before.items():
            self.assertLessEqual(after[task] - count, sleeps * seconds, f'thread {task} wakes up')
        self.assertLessEqual(server.cpu_s() - cpu_before, cpu_share * seconds, 'processor time')

    def end(self, server):
        if server.has_ended:
            return
        try:
            self.assertTrue(server.running(), f'it ended by itself\n{server.said()}')
            self.assertEqual(server.drain(), 0, server.said())
        finally:
            server.kill()

    def peer(self, serve, **options):
        peer = Peer(serve, **options)
        self.addCleanup(peer.close)
        return peer

    def client(self, server, **options):
        client = open_client(server if isinstance(server, str) else server.url, **options)
        self.addCleanup(client.close)
        return client

    def exchange(self, client, data=b'are you there?'):
        client.sendall(data)
        self.assertEqual(receive(client, len(data)), data)

    def run_command(self, *arguments, stdin=b'', seconds=PATIENCE_S, **options):
        """Runs to the end with `stdin`; (exit code, standard output in bytes, standard error)."""
        process = self.process(*arguments, stdin=subprocess.PIPE, **options)
        feeder = threading.Thread(target=feed, args=[process.stdin, stdin], daemon=True)
        feeder.start()
        code = process.wait(seconds)
        feeder.join(PATIENCE_S)
        return code, process.stdout.data if process.stdout else b'', process.stderr.text()

    def directory(self):
        """A new folder whose path fits into a Unix socket's address."""
        path = tempfile.mkdtemp(prefix='tern-')
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def dead_url(self):
        """An address that nobody listens on and that nobody else can take meanwhile."""
        held = socket.socket()
        self.addCleanup(held.close)
        held.bind(('127.0.0.1', 0))
        return f'tcp://127.0.0.1:{held.getsockname()[1]}'


def feed(stream, data):
    with contextlib.suppress(OSError):
        stream.write(data)
    with contextlib.suppress(OSError):
        stream.close()


def give_up():
    faulthandler.dump_traceback(all_threads=True)
    for popen in list(LIVE):
        popen.kill()
    print(f'harness: not done after {FILE_S} s', file=sys.stderr, flush=True)
    os._exit(1)


def main():
    watchdog = threading.Timer(FILE_S, give_up)
    watchdog.daemon = True
    watchdog.start()
    unittest.main()
