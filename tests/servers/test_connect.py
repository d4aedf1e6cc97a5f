"""tern connect: a line client for people and for pipes."""
import os
import pty
import select
import signal
import socket
import subprocess
import termios
import threading
import time
import unittest

import harness


class Pipes(harness.Case):
    """Input and output are pipes."""

    def check_echo(self, data, *arguments, listen='tcp://127.0.0.1:0', expected=None):
        server = self.serve(listen=listen)
        code, output, errors = self.run_command('connect', *arguments, server.url, stdin=data)
        self.assertEqual((code, errors), (0, ''))
        self.assertEqual(output, data if expected is None else expected)

    def test_lines(self):
        self.check_echo(b''.join(b'line %d\n' % number for number in range(1000)))

    def test_no_final_line_feed(self):
        self.check_echo(b'one\ntwo\nthree')

    def test_empty_input(self):
        self.check_echo(b'')

    def test_any_bytes(self):
        self.check_echo(bytes(range(256)) * 100)

    def test_5_mib(self):
        self.check_echo(harness.pattern(5 << 20), '--quit', '')

    @harness.needs_unix
    def test_unix(self):
        data = harness.pattern(100_000)
        self.check_echo(data, '--quit', '', listen=f'unix:{self.directory()}/socket')

    @harness.needs_ipv6
    def test_ipv6(self):
        self.check_echo(b'hello\n', listen='tcp://[::1]:0')

    def test_udp(self):
        self.check_echo(b'one\ntwo\nthree', '--wait', '2s', listen='udp://127.0.0.1:0')
        self.check_echo(b'', '--wait', '300ms', listen='udp://127.0.0.1:0')

    def test_by_name(self):
        server = self.serve()
        url = f'tcp://localhost:{server.port}'
        code, output, errors = self.run_command('connect', url, stdin=b'hello\n')
        self.assertEqual((code, output, errors), (0, b'hello\n', ''))

    def test_quit_word(self):
        for word, data, expected in (
                (None, b'one\nexit\ntwo\n', b'one\n'),
                (None, b'exit\n', b''),
                (None, b'exit', b''),
                (None, b'one\nexit', b'one\n'),
                (None, b'exits\nan exit\nexit now\n', b'exits\nan exit\nexit now\n'),
                (None, b'one\r\nexit\r\ntwo', b'one\r\n'),
                ('bye', b'exit\nbye\nmore\n', b'exit\n'),
                ('', b'one\nexit\n\ntwo\n', b'one\nexit\n\ntwo\n')):
            with self.subTest(word=word, data=data):
                arguments = [] if word is None else ['--quit', word]
                self.check_echo(data, *arguments, expected=expected)

    def test_quit_word_in_pieces(self):
        server = self.serve()
        client = self.process('connect', server.url, stdin=subprocess.PIPE)
        for byte in b'one\nexit\n':
            client.stdin.write(bytes([byte]))
            client.stdin.flush()
        # Standard input stays open.
        self.assertEqual(client.wait(), 0)
        self.assertEqual(client.stdout.data, b'one\n')

    def test_quit_word_with_a_server_that_never_ends(self):
        done = threading.Event()
        peer = self.peer(lambda connection: (connection.sendall(b'welcome\n'),
                                             done.wait(harness.PATIENCE_S)))
        self.addCleanup(done.set)
        code, output, errors = self.run_command('connect', '--wait', '2s', peer.url,
                                                stdin=b'exit\n')
        self.assertEqual((code, output, errors), (0, b'welcome\n', ''))

    def test_answers_in_odd_portions(self):
        data = harness.pattern(50_000)

        def serve(connection):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.assertEqual(harness.receive_all(connection), b'question\n')
            start = 0
            while start < len(data):
                portion = 1 + start % 997
                connection.sendall(data[start:start + portion])
                start += portion
        code, output, errors = self.run_command('connect', self.peer(serve).url,
                                                stdin=b'question\n')
        self.assertEqual((code, errors), (0, ''))
        self.assertEqual(output, data)

    def test_answers_long_after_the_end_of_input(self):
        def serve(connection):
            harness.receive_all(connection)
            for number in range(5):
                time.sleep(0.1)  # a slow server
                connection.sendall(b'%d\n' % number)
        code, output, errors = self.run_command('connect', self.peer(serve).url)
        self.assertEqual((code, output, errors), (0, b'0\n1\n2\n3\n4\n', ''))

    def test_each_line_is_sent_at_once(self):
        client = self.process('connect', self.serve().url, stdin=subprocess.PIPE)
        for number in range(20):
            client.stdin.write(b'line %d\n' % number)
            client.stdin.flush()
            client.wait_line(f'line {number}')
        client.stdin.close()
        self.assertEqual(client.wait(), 0)

    def test_the_server_ends_first(self):
        peer = self.peer(lambda connection: connection.sendall(b'goodbye\n'))
        client = self.process('connect', peer.url, stdin=subprocess.PIPE)
        # Standard input stays open: the session is over all the same.
        self.assertEqual(client.wait(), 0)
        self.assertEqual(client.stdout.data, b'goodbye\n')
        self.assertEqual(client.stderr.text(), '')

    def test_the_server_resets(self):
        def serve(connection):
            connection.sendall(b'half an ans')
            connection.recv(1)
            harness.reset(connection)
        client = self.process('connect', self.peer(serve).url, stdin=subprocess.PIPE)
        client.stdout.wait(lambda data: data == b'half an ans',
                           time.monotonic() + harness.PATIENCE_S)
        client.stdin.write(b'x')
        client.stdin.flush()
        self.assertEqual(client.wait(), 1)
        self.assertEqual(client.stdout.data, b'half an ans')
        self.assertRegex(client.stderr.text(), r'\Atern connect: .*reset.*\n\Z')

    def test_a_server_that_reads_slowly(self):
        data = harness.pattern(4 << 20)
        received = []

        def serve(connection):
            received.append(harness.receive_all(connection))
            connection.sendall(b'thanks\n')
        peer = self.peer(serve)
        peer.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        code, output, errors = self.run_command('connect', '--quit', '', peer.url, stdin=data)
        self.assertEqual((code, output, errors), (0, b'thanks\n', ''))
        self.assertEqual(received, [data])

    @unittest.skipIf(harness.WINDOWS, 'needs head')
    def test_a_reader_that_has_enough(self):
        server = self.serve()
        head = subprocess.Popen(['head', '-n', '1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(head.stdout.close)
        self.addCleanup(head.wait, harness.PATIENCE_S)
        self.addCleanup(head.kill)
        client = self.process('connect', '--quit', '', server.url, stdin=subprocess.PIPE,
                              stdout=head.stdin)
        head.stdin.close()
        feeder = threading.Thread(target=harness.feed,
                                  args=[client.stdin, b'a line\n' * 500_000], daemon=True)
        feeder.start()
        self.assertEqual(head.stdout.read(), b'a line\n')
        # Not a success, but whoever closed the pipe needs no explanation.
        self.assertEqual(client.wait(), 1)
        self.assertEqual(client.stderr.text(), '')
        feeder.join(harness.PATIENCE_S)

    @unittest.skipUnless(os.path.exists('/dev/full'), 'needs /dev/full')
    def test_output_that_cannot_be_written(self):
        server = self.serve()
        with open('/dev/full', 'wb') as full:
            code, _, errors = self.run_command('connect', server.url, stdin=b'hello\n', stdout=full)
        self.assertEqual(code, 1)
        self.assertRegex(errors, r'\Atern connect: .*standard output.*\n\Z')

    @unittest.skipIf(harness.WINDOWS, 'needs descriptors of POSIX')
    def test_closed_standard_input(self):
        server = self.serve()
        command = ['sh', '-c', 'exec "$@" <&-', 'sh', *harness.COMMAND, 'connect', server.url]
        answer = subprocess.run(command, capture_output=True, env=harness.CLEAN, check=False,
                                timeout=harness.PATIENCE_S)
        self.assertEqual((answer.returncode, answer.stdout), (1, b''))
        self.assertRegex(answer.stderr.decode(), r'\Atern connect: .*standard input.*\n\Z')

    def test_input_from_a_file(self):
        path = os.path.join(self.directory(), 'input')
        data = harness.pattern(100_000)
        with open(path, 'wb') as file:
            file.write(data)
        with open(path, 'rb') as file:
            client = self.process('connect', '--quit', '', self.serve().url, stdin=file)
            self.assertEqual(client.wait(), 0)
        self.assertEqual(client.stdout.data, data)

    def test_signals(self):
        for number in harness.STOPS:
            with self.subTest(signal=number.name):
                client = self.process('connect', self.serve().url, stdin=subprocess.PIPE)
                client.stdin.write(b'hello\n')
                client.stdin.flush()
                client.wait_line('hello')
                client.signal(number)
                self.assertEqual(client.wait(), 0)

    def test_connect_timeout(self):
        # A listener whose queue is full drops further connects, as a dead host would.
        with socket.socket() as full:
            full.bind(('127.0.0.1', 0))
            full.listen(0)
            url = f'tcp://127.0.0.1:{full.getsockname()[1]}'
            waiting = [socket.socket() for _ in range(4)]
            for client in waiting:
                self.addCleanup(client.close)
                client.setblocking(False)
                client.connect_ex(full.getsockname())
            code, output, errors = self.run_command('connect', '--connect-timeout', '300ms', url)
        self.assertEqual((code, output), (69, b''))
        self.assertIn(f'cannot connect to {url}', errors)
        self.assertIn('timed out', errors)

    def test_udp_nobody_there(self):
        url = f'udp://127.0.0.1:{harness.unused_port()}'
        code, output, errors = self.run_command('connect', '--wait', '2s', url, stdin=b'hello\n')
        self.assertEqual((code, output), (69, b''))
        self.assertIn('refused', errors)


@unittest.skipIf(harness.WINDOWS, 'needs a pseudo-terminal')
class Terminal(harness.Case):
    """Input and output are a terminal."""

    def open(self, *arguments, environment=None):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        self.before = termios.tcgetattr(theirs)
        process = self.process('connect', *arguments, stdin=theirs, stdout=theirs,
                               environment=environment or {'TERM': 'dumb'})
        os.close(theirs)
        self.seen = b''
        return process, ours

    def expect(self, process, terminal, text):
        deadline = time.monotonic() + harness.PATIENCE_S
        while text not in self.seen:
            if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                process.fail(f'{text!r} was not printed, but {self.seen!r}')
            self.seen += os.read(terminal, 4096)
        self.seen = self.seen.partition(text)[2]

    def test_a_conversation(self):
        server = self.serve()
        for end in (b'exit\n', b'\x04'):
            with self.subTest(end=end):
                process, terminal = self.open(server.url)
                process.wait_line(r'.*connected to .*', process.stderr)
                for number in range(10):
                    os.write(terminal, b'line %d\n' % number)
                    self.expect(process, terminal, b'line %d\n' % number)
                os.write(terminal, end)
                self.assertEqual(process.wait(), 0)

    def test_a_line_that_is_typed_is_not_torn(self):
        peers = []
        peer = self.peer(lambda connection: (peers.append(connection), connection.recv(1 << 20),
                                             connection.recv(1 << 20)))
        process, terminal = self.open(peer.url, environment={'TERM': 'xterm', 'NO_COLOR': '1'})
        self.expect(process, terminal, b'\r\x1b[K> ')
        os.write(terminal, b'half a l')
        self.expect(process, terminal, b'> half a l')
        harness.eventually(lambda: peers, 'a peer')[0].sendall(b'[lobby] bob: hi\n')
        # Taken away, printed, and put back.
        self.expect(process, terminal, b'\r\x1b[K[lobby] bob: hi\n\r\x1b[K> half a l')
        os.write(terminal, b'im\x7fne\n')
        self.expect(process, terminal, b'\r\x1b[K> half a line\n')
        os.write(terminal, b'\x1b[A!')  # up
        self.expect(process, terminal, b'> half a line!')
        os.write(terminal, b'\x04\x15\x04')  # at the end there is nothing to delete; all; the end
        self.assertEqual(process.wait(), 0)

    def open_chat(self, **environment):
        server = self.serve('--flood', 'off', command='chat')
        process, terminal = self.open(server.url, environment={'TERM': 'xterm', **environment})
        self.expect(process, terminal, b'-- welcome')
        return process, terminal

    def test_colours_only_where_they_are_wanted(self):
        process, terminal = self.open_chat()
        os.write(terminal, b'/nonsense\n')
        self.expect(process, terminal, b'\x1b[31m!! /nonsense is no command; /help lists them all'
                                       b'\x1b[0m\n')
        process, terminal = self.open_chat(NO_COLOR='1')
        os.write(terminal, b'/nonsense\n')
        self.expect(process, terminal, b'\x1b[K!! /nonsense is no command; /help lists them all\n')

    def test_a_password_is_not_remembered(self):
        process, terminal = self.open_chat()
        os.write(terminal, b'/who\n/nick alice open sesame\n')
        self.expect(process, terminal, b'not reserved')
        os.write(terminal, b'\x1b[A')
        self.expect(process, terminal, b'> /who')

    def test_the_terminal_is_as_it_was(self):
        server = self.serve()
        for end in (b'\x04', b'exit\n', signal.SIGINT, signal.SIGTERM):
            with self.subTest(end=end):
                process, terminal = self.open(server.url, environment={'TERM': 'xterm'})
                self.expect(process, terminal, b'> ')
                if isinstance(end, bytes):
                    os.write(terminal, end)
                else:
                    process.signal(end)
                self.assertEqual(process.wait(), 0)
                self.assertEqual(termios.tcgetattr(terminal), self.before)

    def test_says_how_to_end(self):
        process, terminal = self.open('--quit', 'bye', self.serve().url)
        process.wait_line(r".*connected to .*'bye'.*Ctrl-D.*", process.stderr)
        os.write(terminal, b'bye\n')
        self.assertEqual(process.wait(), 0)

    def test_the_server_ends(self):
        server = self.serve()
        process, terminal = self.open(server.url)
        os.write(terminal, b'hello\n')
        self.expect(process, terminal, b'hello\n')
        server.stop()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(server.wait(), 0)

    def test_udp(self):
        process, terminal = self.open('--wait', '300ms', self.serve(listen='udp://127.0.0.1:0').url)
        for number in range(5):
            os.write(terminal, b'line %d\n' % number)
            self.expect(process, terminal, b'line %d\n' % number)
        os.write(terminal, b'\x04')
        self.assertEqual(process.wait(), 0)


if __name__ == '__main__':
    harness.main()
