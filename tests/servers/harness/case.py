"""The base of all test cases, and how a file of them is run.

  Case      a TestCase that makes processes, servers and clients, and ends all of them; a server
            that was not ended by its test is drained and must exit with 0
  Result    adds to a failure what the processes of its test had said
  main()    runs the file's cases, within a limit
"""
import faulthandler
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from .deadline import PATIENCE_S
from .process import LIVE, Process, Server, feed
from .sockets import Peer, open_client, receive

# A file of tests that takes longer is ended from within, before Meson ends it from without.
FILE_S = int(os.environ.get('TERN_TEST_FILE_S', 280))


def seed(test):
    """A seed, printed so that a failure of `test` can be repeated with TERN_TEST_SEED."""
    value = int(os.environ.get('TERN_TEST_SEED', random.SystemRandom().randrange(1 << 32)))
    print(f'{test.id()}: TERN_TEST_SEED={value}', file=sys.stderr)
    return value


def pattern(count, salt=0):
    """`count` bytes in which neighbours differ and no short piece repeats soon."""
    return random.Random(salt).randbytes(count)


class Case(unittest.TestCase):
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


class Result(unittest.TextTestResult):
    """Shows with each failure what the processes of its test had said."""

    def addError(self, test, err):
        super().addError(test, err)
        self.explain(self.errors, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.explain(self.failures, test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            is_failure = issubclass(err[0], test.failureException)
            self.explain(self.failures if is_failure else self.errors, test)

    def explain(self, problems, test):
        # What fails before any test of a class is no Case.
        if isinstance(test, Case):
            failed, text = problems.pop()
            problems.append((failed, text + ''.join(f'{each.said()}\n' for each in test.processes)))


class Runner(unittest.TextTestRunner):
    resultclass = Result


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
    unittest.main(testRunner=Runner)
