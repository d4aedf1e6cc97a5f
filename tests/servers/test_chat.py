"""tern chat as a black box: people with nc and tern connect, and those who mean no good."""
import collections
import contextlib
import os
import re
import signal
import socket
import subprocess
import time

import harness


class Member:
    """One who chats: sends lines, and reads lines until the one that is waited for."""

    def __init__(self, case, server, **options):
        self.socket = case.client(server, **options)
        self.data = b''
        self.name = self.until(r'-- welcome, you are (guest-\d+); .*').group(1)

    def say(self, *lines):
        self.socket.sendall(b''.join(line.encode() + b'\n' for line in lines))

    def line(self):
        """The next line, without its end; None at the end of the stream."""
        while b'\n' not in self.data:
            piece = self.socket.recv(1 << 16)
            if not piece:
                return None
            self.data += piece
        line, _, self.data = self.data.partition(b'\n')
        return line.decode()

    def until(self, expression):
        """The match of the first whole line that comes and matches."""
        seen = []
        while (line := self.line()) is not None:
            if match := re.fullmatch(expression, line):
                return match
            seen.append(line)
        raise AssertionError(f'no line like {expression!r} in {seen[-20:]}')

    def expect(self, *lines):
        """Exactly these lines come next."""
        for line in lines:
            got = self.line()
            if got != line:
                raise AssertionError(f'{got!r} came, not {line!r}')

    def expect_answer(self, sent, answer):
        self.say(sent)
        self.expect(answer)

    def join(self, room):
        self.say(f'/join {room}')
        self.until(f'-- you are in {room}.*')

    def rest(self):
        """The lines until the end of the stream, which may be a reset."""
        lines = []
        with contextlib.suppress(ConnectionError):
            while (line := self.line()) is not None:
                lines.append(line)
        return lines


class Case(harness.Case):
    def chat(self, *arguments, **options):
        return self.serve(*arguments, command='chat', **options)

    def member(self, server, name=None, room=None, **options):
        member = Member(self, server, **options)
        if name:
            member.expect_answer(f'/nick {name}', f'-- you are {name} now')
            member.name = name
        if room:
            member.join(room)
        return member


class Talk(Case):
    def test_a_conversation(self):
        server = self.chat()
        alice = self.member(server, 'alice', 'lobby')
        bob = self.member(server, 'bob', 'lobby')
        alice.expect('[lobby] -- bob joined')
        bob.say('hello', '/me waves', '//slash')
        alice.expect('[lobby] bob: hello', '[lobby] * bob waves', '[lobby] bob: /slash')
        alice.say('/msg bob psst')
        bob.expect('(private) alice: psst')
        alice.expect('-- sent to bob')
        alice.say('/topic tea')
        for member in (alice, bob):
            member.expect('[lobby] -- alice set the topic: tea')
        bob.expect_answer('/who', '-- lobby: @alice bob')
        bob.expect_answer('/rooms', '-- lobby (2): tea')
        bob.expect_answer('/nick robert', '-- you are robert now')
        alice.expect('[lobby] -- bob is now robert')
        bob.expect_answer('/leave', '-- you left lobby')
        alice.expect('[lobby] -- robert left')
        alice.say('exit')
        self.assertEqual(alice.rest(), ['-- goodbye'])

    def test_history_is_replayed_to_who_joins(self):
        server = self.chat('--history', '3', '--replay', '2')
        alice = self.member(server, 'alice', 'lobby')
        alice.say('one', 'two', 'three', 'four')
        alice.expect_answer('/who', '-- lobby: @alice')  # all of it was said
        bob = self.member(server, 'bob')
        bob.say('/join lobby', '/history')
        bob.expect('-- you are in lobby with 1 other')
        times = [bob.until(rf'\[lobby (\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\] alice: {text}').group(1)
                 for text in ('three', 'four', 'two', 'three', 'four')]
        now = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
        self.assertLessEqual(max(times), now)
        self.assertEqual(times[0][:11], now[:11])

    def test_moderation(self):
        server = self.chat('--workers', '2')
        alice, bob, carol = (self.member(server, name, 'lobby')
                             for name in ('alice', 'bob', 'carol'))
        alice.until(r'\[lobby\] -- carol joined')
        bob.until(r'\[lobby\] -- carol joined')
        bob.expect_answer('/kick carol',
                          '!! that is for alice, who has been here for longest, and for operators')
        alice.say('/kick bob too loud')
        for member in (alice, bob, carol):
            member.expect('[lobby] -- bob was kicked by alice: too loud')
        bob.expect('-- you left lobby')
        alice.say('still here', '/ban bob')
        carol.expect('[lobby] alice: still here', '[lobby] -- bob was banned by alice')
        # The kicked one heard nothing of it.
        bob.expect_answer('/join lobby', '!! you are banned from lobby; /rooms lists others')
        alice.say('/mute carol')
        carol.expect('[lobby] -- carol was muted by alice')
        carol.expect_answer('hello', '!! you are muted in lobby: you may listen; ask who moderates '
                                     'it, with an @ in /who')
        alice.say('/quit')
        carol.expect('[lobby] -- alice left the chat',
                     '-- you moderate lobby now; /help kick and /help ban tell more',)
        carol.expect_answer('/unmute carol', '[lobby] -- carol was unmuted by carol')
        carol.expect_answer('/unban bob', '[lobby] -- bob was unbanned by carol')
        bob.join('lobby')

    def test_every_bad_line_has_its_answer(self):
        alice = self.member(self.chat())
        for sent, answer in (
                (b'/jion lobby', '!! /jion is no command; /help lists them all'),
                (b'x' * 4097, '!! that was not sent: a line has at most 4096 bytes; send it in '
                              'parts'),
                (b'x' * 1_000_000, '!! that was not sent: a line has at most 4096 bytes; send it '
                                   'in parts'),
                (b'\xff', '!! that was not sent: no valid UTF-8 at byte 1; send UTF-8'),
                (b'a\0b', '!! that was not sent: the control character U+0000 at byte 2; send '
                          'text alone'),
                (b'\x1b[2J', '!! that was not sent: the control character U+001B at byte 1; send '
                             'text alone'),
                (b'hello', '!! you are in no room; /join ROOM enters one, /rooms lists them'),
                (b'/nick [server]', "!! a name has letters, digits, - and _, a letter first, at "
                                    "most 32 of them; try /nick alice"),
                (b'/nick guest-77', '!! names that begin with guest- are given by the server; '
                                    'choose another one')):
            with self.subTest(sent=sent[:20]):
                alice.socket.sendall(sent + b'\n')
                alice.expect(answer)

    def test_help_is_the_table_of_the_manual(self):
        page = os.path.join(os.path.dirname(__file__), '..', '..', 'docs', 'chat.md')
        with open(page, encoding='utf-8') as file:
            rows = re.findall(r'^\| `(/[a-z][^`]*)` \| (.*) \|$', file.read(), re.MULTILINE)
        alice = self.member(self.chat())
        alice.say('/help')
        alice.expect(*(f'-- {form:<22} {meaning}' for form, meaning in rows),
                     '-- everything else is said in your room; //TEXT says a line that begins '
                     'with /')

    def test_the_longest_line_arrives(self):
        server = self.chat()
        alice, bob = (self.member(server, name, 'lobby') for name in ('alice', 'bob'))
        text = 'ü' * 2048
        bob.socket.sendall(text.encode() + b'\r\n')
        alice.until(f'\\[lobby\\] bob: {text}')

    def test_a_server_that_is_full_says_so(self):
        server = self.chat('--max-members', '1')
        self.member(server)
        late = self.client(server)
        self.assertEqual(harness.receive_all(late),
                         b'!! the server is full: 1 members are here; come again later\n')

    @harness.needs_nc
    def test_netcat(self):
        server = self.chat()
        done = subprocess.run(['nc', '-N', '127.0.0.1', str(server.port)],
                              input=b'/nick alice\n/join lobby\n/who\n', check=True,
                              capture_output=True, timeout=harness.PATIENCE_S)
        self.assertEqual(done.stdout.decode().splitlines()[1:],
                         ['-- you are alice now', '-- you are in lobby, alone; you moderate it',
                          '-- lobby: @alice',
                          '-- goodbye'])

    def test_tern_connect(self):
        server = self.chat()
        alice = self.member(server, 'alice', 'lobby')
        code, output, errors = self.run_command('connect', server.url,
                                                stdin=b'/nick bob\n/join lobby\nhello\n/quit\n')
        self.assertEqual((code, errors), (0, ''))
        self.assertEqual(output.decode().splitlines()[-1], '-- goodbye')
        alice.until(r'\[lobby\] bob: hello')

    def test_a_last_line_without_its_end_counts(self):
        server = self.chat()
        alice, bob = (self.member(server, name, 'lobby') for name in ('alice', 'bob'))
        bob.socket.sendall(b'last words')
        bob.socket.shutdown(socket.SHUT_WR)
        alice.until(r'\[lobby\] bob: last words')
        alice.expect('[lobby] -- bob left the chat')
        self.assertEqual(bob.rest(), ['-- goodbye'])

    @harness.needs_unix
    def test_unix_sockets(self):
        server = self.chat(listen=f'unix:{self.directory()}/chat')
        self.member(server).expect_answer('/rooms',
                                          '-- nobody is in any room; /join ROOM makes one')

    def test_over_tls(self):
        folder = self.directory() + '/certs'
        code, _, errors = self.run_command('cert', '--out', folder)
        if code == 1 and 'without TLS' in errors:
            self.skipTest('built without TLS')
        self.assertEqual(code, 0, errors)
        server = self.chat('--tls-cert', f'{folder}/cert.pem', '--tls-key', f'{folder}/key.pem',
                           listen=['tcp://127.0.0.1:0', 'tls://127.0.0.1:0'])
        alice = self.member(server, 'alice', 'lobby')
        code, output, errors = self.run_command('connect', server.urls[1], '--tls-ca',
                                                f'{folder}/ca.pem', '--tls-name', 'localhost',
                                                stdin=b'/nick bob\n/join lobby\nhello\n')
        self.assertEqual((code, errors), (0, ''))
        self.assertTrue(output.decode().endswith('-- goodbye\n'), output)
        alice.until(r'\[lobby\] bob: hello')

    def test_drain_is_announced(self):
        for number in harness.STOPS:
            with self.subTest(signal=number.name):
                server = self.chat('--workers', '2')
                members = [self.member(server, room='lobby') for _ in range(10)]
                server.signal(number)
                for member in members:
                    self.assertEqual(member.rest()[-1], '-- the server is going down; goodbye')
                    member.socket.close()
                self.assertEqual(server.wait(), 0)
                self.assertEqual(server.aborted(), 0)

    def test_wrong_options(self):
        for arguments, problem in (
                (['--listen', 'udp://127.0.0.1:0'], 'a chat needs a stream'),
                (['--flood', 'fast'], "--flood: 'fast' is not a rate of lines"),
                (['--flood', '0'], "--flood: '0' is not a rate of lines"),
                (['--soft-limit', '1M', '--hard-limit', '64k'], '--soft-limit 1MiB is above'),
                (['--hard-limit', '64k'], '--hard-limit 64KiB is less than'),
                (['--max-name', '200', '--history', '1000'], '--hard-limit 256KiB is less than'),
                (['--max-members', '0'], '--max-members')):
            with self.subTest(arguments=arguments):
                code, output, errors = self.run_command('chat', *arguments)
                self.assertEqual((code, output), (64, b''))
                self.assertIn(problem, errors)
                self.assertEqual(errors.count('\n'), 1)


    @harness.needs_unix
    def test_an_end_with_members_on_several_workers(self):
        """Whoever could not be told that the server is ready has no server; what was the hub's
        reactor is not used any more by then."""
        address = f'unix:{self.directory()}/chat'
        reader, writer = os.pipe()
        try:
            os.set_blocking(writer, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, bytes(65536))
            os.set_blocking(writer, True)
            server = harness.Process('chat', '--listen', address, '--workers', '4', stdout=writer)
            self.addCleanup(server.kill)
            server.wait_line('.*serving with 4 workers.*', server.stderr)
            members = [harness.eventually(lambda: self.connected(address), 'a server')
                       for _ in range(40)]
            for member in members:
                self.assertTrue(member.recv(100).startswith(b'-- welcome'))
        finally:
            os.close(writer)
            os.close(reader)
        self.assertEqual(server.wait(), 1)
        for member in members:
            member.close()

    @staticmethod
    def connected(address):
        member = socket.socket(socket.AF_UNIX)
        member.settimeout(harness.PATIENCE_S)
        try:
            member.connect(address.removeprefix('unix:'))
        except OSError:
            member.close()
            return None
        return member


class Order(Case):
    def test_one_order_for_all_on_every_worker(self):
        harness.raise_descriptor_limit()
        members, lines = 40, 50
        server = self.chat('--workers', '4', '--flood', 'off')
        crowd = [self.member(server, room='lobby') for _ in range(members)]
        for member in crowd:  # everybody is in before anybody speaks
            member.say('/who')
            member.until(r'-- lobby: .*')
        for number in range(lines):
            for index, member in enumerate(crowd):
                member.say(f'{index}.{number}')
        heard = [self.said(member, (members - 1) * lines) for member in crowd]
        whole = self.merge(heard, members)
        for index, lines_heard in enumerate(heard):
            self.assertEqual(lines_heard, [line for line in whole if line[0] != index])
        for index in range(members):
            numbers = [number for sender, number in whole if sender == index]
            self.assertEqual(numbers, list(range(lines)))

    def said(self, member, count):
        heard = []
        while len(heard) < count:
            match = member.until(r'\[lobby\] (?:guest-\d+: (\d+)\.(\d+)|-- .*)')
            if match.group(1):
                heard.append((int(match.group(1)), int(match.group(2))))
        return heard

    def merge(self, heard, members):
        """The order that everybody has heard a part of: nobody has heard itself."""
        whole = []
        queues = [collections.deque(lines) for lines in heard]
        while any(queues):
            # The next line is the one that all have in front but its own sender.
            fronts = collections.Counter(queue[0] for queue in queues if queue)
            line, count = fronts.most_common(1)[0]
            self.assertGreaterEqual(count, members - 1, f'no common order after {whole[-3:]}')
            whole.append(line)
            for queue in queues:
                if queue and queue[0] == line:
                    queue.popleft()
        return whole


class Limits(Case):
    def test_flood_is_slowed_and_then_kicked(self):
        server = self.chat('--flood', '20,5', '--flood-patience', '1s')
        alice = self.member(server, 'alice', 'lobby')
        flooder = self.member(server, 'bob', 'lobby')
        alice.expect('[lobby] -- bob joined')
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            while True:
                flooder.socket.sendall(b'flood\n' * 100)
        lines = 0
        while (line := alice.line()) == '[lobby] bob: flood':
            lines += 1
        self.assertEqual(line, '[lobby] -- bob left: too many lines')
        # Never faster than the rate; the machine may be slower.
        self.assertLessEqual(lines, 5 + 20 * (time.monotonic() - begin))

    def test_a_slowed_member_is_told_and_loses_nothing(self):
        server = self.chat('--flood', '200,5')
        alice = self.member(server, 'alice', 'lobby')
        bob = self.member(server, 'bob', 'lobby')
        bob.say(*(str(number) for number in range(100)))
        bob.expect('-- slow down: your lines wait for their turn')
        alice.expect('[lobby] -- bob joined', *(f'[lobby] bob: {i}' for i in range(100)))

    def test_flood_off(self):
        server = self.chat('--flood', 'off')
        alice = self.member(server, 'alice', 'lobby')
        bob = self.member(server, 'bob', 'lobby')
        bob.say(*(str(number) for number in range(5000)))
        alice.expect('[lobby] -- bob joined', *(f'[lobby] bob: {i}' for i in range(5000)))

    def test_ten_thousand_joins(self):
        server = self.chat('--flood', 'off', '--max-rooms', '10')
        alice = self.member(server, 'alice')
        alice.say(*(f'/join r{i}\n/leave' for i in range(10_000)), '/rooms')
        alice.until('-- nobody is in any room; /join ROOM makes one')
        alice.say(*(f'/join r{i}' for i in range(30)))
        alice.until('!! there are 10 rooms already; /rooms lists some to join')

    def test_idle_members_are_pinged_and_sent_away(self):
        server = self.chat('--ping', '50ms')
        self.member(server).expect('-- ping', '-- ping')
        server = self.chat('--idle-timeout', '100ms', '--ping', '0')
        self.assertEqual(self.member(server).rest(),
                         ['-- you have said nothing for too long; goodbye'])


class Hostile(Case):
    def test_one_who_never_reads(self):
        server = self.chat('--flood', 'off', '--hard-limit', '64k', '--soft-limit', '4k',
                           '--send-buffer', '4k', '--workers', '2')
        alice = self.member(server, 'alice', 'lobby')
        bob = self.member(server, 'bob', 'lobby')
        deaf = self.member(server, 'deaf', 'lobby', receive_buffer=4096)
        bob.until(r'\[lobby\] -- deaf joined')
        told = None
        for number in range(10_000):  # until it is too much; the others hear everything
            alice.say(f'{number} ' + 'x' * 1000)
            line = bob.line()
            if line == '[lobby] -- deaf left: too slow a reader':
                told = number
                line = bob.line()
            self.assertEqual(line, f'[lobby] alice: {number} ' + 'x' * 1000)
            if told is not None:
                break
        self.assertIsNotNone(told, 'it was never disconnected')
        deaf.rest()

    def test_a_reader_who_was_too_slow_reads_why(self):
        server = self.chat('--flood', 'off', '--hard-limit', '64k', '--soft-limit', '4k',
                           '--send-buffer', '4k')
        alice = self.member(server, 'alice', 'lobby')
        slow = self.member(server, 'slow', 'lobby', receive_buffer=4096)
        alice.expect('[lobby] -- slow joined')
        left = None
        while left is None:
            alice.say(*('x' * 1000 for _ in range(100)), '/who')
            left = next((line for line in iter(alice.line, None)
                         if line.startswith(('[lobby] -- slow left', '-- lobby:'))), '')
            left = left if 'slow left' in left else None
        self.assertEqual(slow.rest()[-1], '-- you read too slowly; goodbye')

    def test_killed_clients_leave(self):
        server = self.chat('--workers', '2', '--max-joins', '1')
        alice = self.member(server, 'alice', 'lobby')
        crowd = [self.process('connect', server.url, stdin=subprocess.PIPE) for _ in range(30)]
        for client in crowd:
            client.stdin.write(b'/join lobby\n')
            client.stdin.flush()
        for _ in crowd:
            alice.until(r'\[lobby\] -- guest-\d+ joined')
        for client in crowd:
            client.kill()
        for _ in crowd:
            alice.until(r'\[lobby\] -- guest-\d+ left.*')
        alice.expect_answer('/who', '-- lobby: @alice')

    def test_resets_leave_nothing_behind(self):
        harness.raise_descriptor_limit()
        server = self.chat('--workers', '2')
        alice = self.member(server, 'alice', 'lobby')
        crowd = [self.member(server, room='lobby') for _ in range(300)]
        for member in crowd:
            member.say('x' * 100)
            harness.reset(member.socket)
        left = set()
        while len(left) < len(crowd):
            left.add(alice.until(r'\[lobby\] -- (guest-\d+) left.*').group(1))
        alice.expect_answer('/who', '-- lobby: @alice')

    def test_garbage(self):
        server = self.chat('--flood', 'off')
        alice = self.member(server, 'alice', 'lobby')
        salt = harness.seed(self)
        for number in range(20):
            client = self.client(server)
            client.sendall(harness.pattern(20_000, salt + number).replace(b'exit', b'stay'))
            client.shutdown(socket.SHUT_WR)
            for line in harness.receive_all(client).decode().splitlines():
                self.assertRegex(line, r'\A(-- |!! )')
        alice.expect_answer('/who', '-- lobby: @alice')

    @harness.needs_proc
    def test_a_thousand_who_never_read(self):
        harness.raise_descriptor_limit()
        server = self.chat('--workers', '2', '--flood', 'off', '--hard-limit', '64k',
                           '--soft-limit', '4k', '--send-buffer', '4k')
        alice = self.member(server, 'alice', 'lobby')
        for _ in range(1000):
            self.client(server, receive_buffer=4096).sendall(b'/join lobby\n')
        self.until_there_are(alice, 1001)
        before = server.resident_bytes()
        bob = self.member(server, 'bob', 'lobby')
        for _ in range(100):
            bob.say('x' * 4000, '/rooms')
            alice.until(r'\[lobby\] bob: x{4000}')
            bob.until(r'-- lobby .*')
        # What is queued for them is shared: it is held once, whatever their number.
        self.assertLess(server.resident_bytes() - before, 64 << 20)

    def until_there_are(self, member, count):
        """Who comes is not told to those who do not read; the list of rooms always is."""
        members = 0
        while members < count:
            member.say('/rooms')
            members = int(member.until(r'-- lobby \((\d+)\).*').group(1))

    @harness.needs_proc
    def test_silence_costs_nothing(self):
        server = self.chat('--workers', '2')
        members = [self.member(server, room='lobby') for _ in range(50)]
        for member in members:
            member.say('/who')
            member.until(r'-- lobby: .*')
        self.assert_quiet(server)

    @harness.needs_signals
    def test_a_second_signal_ends_at_once(self):
        server = self.chat()
        deaf = self.member(server)
        server.signal(signal.SIGTERM)
        deaf.until('-- the server is going down; goodbye')
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 128 + signal.SIGTERM)


if __name__ == '__main__':
    harness.main()
