"""The command under test, as a process: started, listened to, asked and made to end, read in /proc.

Meson gives the command that it built: TERN_BUILT, its path, and TERN_BUILT_POLLER. A test setup, or
whoever runs a test by hand, may name another one: TERN and TERN_POLLER. TERN_RUNNER may hold what
runs it (such as `wine`).

  Process   a command: lines of its output as they come, signals, exit code, /proc
  Server    a Process that was waited for until it said `ready`, with its addresses
"""
import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time

from .deadline import PATIENCE_S
from .sockets import port_of

TERN = os.environ.get('TERN') or os.environ['TERN_BUILT']
POLLER = os.environ.get('TERN_POLLER') or os.environ.get('TERN_BUILT_POLLER')
COMMAND = shlex.split(os.environ.get('TERN_RUNNER', '')) + [TERN]
WINDOWS = TERN.endswith('.exe')
# Not quite Windows: where it differs, and a test would fail for it alone, the test says how.
WINE = COMMAND[0] == 'wine'
# The command's name as it is told to the command: Wine makes a path of Windows from it.
TYPED = 'Z:' + TERN.replace('/', '\\') if WINE else TERN
# Variables that set options must not reach the commands under test.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith('TERN')}
# Those that run, to be ended when the whole file is given up.
LIVE = set()
# What asks a command to end. Of the events of a Windows console only Ctrl-C can be sent from here.
STOPS = (signal.SIGINT,) if WINDOWS else (signal.SIGTERM, signal.SIGINT)
HANGUPS = () if WINDOWS else (signal.SIGHUP,)

with open(TERN, 'rb') as command_file:
    CONTENT = command_file.read()
# A sanitizer's memory and processor time are its own.
SANITIZED = b'__asan_init' in CONTENT or b'__tsan_init' in CONTENT
del CONTENT


def shorten(text, limit=6000):
    if len(text) <= limit:
        return text
    return text[:limit // 2] + f'\n[... {len(text) - limit} characters ...]\n' + text[-limit // 2:]


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


def feed(stream, data):
    with contextlib.suppress(OSError):
        stream.write(data)
    with contextlib.suppress(OSError):
        stream.close()
