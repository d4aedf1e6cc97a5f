"""tern chat --data: the history survives restarts, kills, torn records and a full disk."""
import os
import re
import shutil
import signal
import subprocess
import threading
import unittest

import harness
from test_chat import Case


class History(Case):
    def chat_with(self, directory, *arguments, **options):
        return self.chat('--data', directory, '--flood', 'off', '--history', '1000',
                         '--history-bytes', '32k', '--replay', '0', *arguments, **options)

    def history(self, server, room='lobby'):
        """What is kept of a room: lines without their times."""
        reader = self.member(server, room=room)
        reader.say('/history', '/help quit')
        lines = []
        while not (line := reader.line()).startswith('-- /quit'):
            lines.append(re.sub(r' \S+Z\]', ']', line))
        reader.socket.close()
        return lines

    def test_a_restart_keeps_it(self):
        directory = self.directory() + '/new/data'
        server = self.chat_with(directory)
        alice = self.member(server, 'alice', 'lobby')
        alice.say('one', '/me waves', '//three', '/join Attic', 'four', 'grüße')
        alice.say('/quit')
        alice.rest()
        self.assertEqual(server.drain(), 0)
        server = self.chat_with(directory, '--workers', '2')
        self.assertEqual(self.history(server),
                         ['[lobby] alice: one', '[lobby] * alice waves', '[lobby] alice: /three'])
        self.assertEqual(self.history(server, 'Attic'),
                         ['[Attic] alice: four', '[Attic] alice: grüße'])

    @harness.needs_signals
    def test_a_kill_in_the_middle_of_traffic_loses_nothing_that_was_heard(self):
        directory = self.directory()
        expected = []
        for round_number in range(3):
            server = self.chat_with(directory, '--workers', '2')
            alice = self.member(server, 'alice', 'lobby')
            bob = self.member(server, 'bob', 'lobby')
            talker = threading.Thread(target=self.talk, args=[bob, round_number], daemon=True)
            talker.start()
            heard = [alice.until(r'(\[lobby\] bob: .*)').group(1)
                     for _ in range(50 * (round_number + 1))]
            server.signal(signal.SIGKILL)
            server.wait()
            talker.join(harness.PATIENCE_S)
            heard += [line for line in alice.rest() if line.startswith('[lobby] bob: ')]
            server = self.chat_with(directory)
            kept = self.history(server)
            # All that was heard, once and in its order; then perhaps what nobody has heard.
            self.assertEqual(len(set(kept)), len(kept))
            self.assertEqual(kept[:len(expected) + len(heard)], expected + heard)
            expected = kept
            self.assertEqual(server.drain(), 0)

    def talk(self, member, round_number):
        try:
            for number in range(100_000):
                member.say(f'{round_number}.{number}')
                if number % 20 == 0:  # not all of it before the first is heard
                    member.say('/help quit')
                    member.until(r'-- /quit.*')
        except (OSError, AssertionError):
            pass  # the server was killed

    def write(self, *lines):
        """A directory with a history of these lines."""
        directory = self.directory()
        server = self.chat_with(directory)
        alice = self.member(server, 'alice', 'lobby')
        alice.say(*lines, '/quit')
        alice.rest()
        server.drain()
        with open(f'{directory}/history', 'rb') as file:
            return directory, file.read()

    def test_a_torn_last_record_is_cut_off(self):
        directory, data = self.write('one', 'two', 'three')
        self.assertEqual(data.count(b'\n'), 3)
        second = data.index(b'\n', data.index(b'\n') + 1) + 1
        for end in (len(data) - 1, second + 9, second + 1):
            with self.subTest(end=end):
                with open(f'{directory}/history', 'wb') as file:
                    file.write(data[:end])
                server = self.chat_with(directory)
                server.wait_line(f'.*a torn record of {end - second} bytes.*', server.stderr)
                alice = self.member(server, 'alice', 'lobby')
                alice.say('four', '/quit')
                alice.rest()
                self.assertEqual(self.history(server), ['[lobby] alice: one', '[lobby] alice: two',
                                                        '[lobby] alice: four'])
                self.assertEqual(server.drain(), 0)

    def test_a_damaged_record_is_skipped(self):
        directory, data = self.write('one', 'two', 'three')
        with open(f'{directory}/history', 'wb') as file:
            file.write(data.replace(b'two', b'tow') + b'garbage \xff\n')
        server = self.chat_with(directory)
        self.assertEqual(self.history(server), ['[lobby] alice: one', '[lobby] alice: three'])
        server.wait_line('.*2 damaged records were skipped.*', server.stderr)

    def test_a_long_file_is_written_anew(self):
        directory = self.directory()
        server = self.chat_with(directory, '--data-max', '64k')
        alice = self.member(server, 'alice', 'lobby')
        for number in range(2000):
            alice.say(f'{number} ' + 'x' * 200)
        alice.say('/quit')
        alice.rest()
        size = os.path.getsize(f'{directory}/history')
        # What is kept is 32 KiB of text; the file is at most twice that, or the limit.
        self.assertLess(size, 2 * (64 << 10) + (16 << 10))
        before = self.history(server)
        self.assertEqual(before[-1], '[lobby] alice: 1999 ' + 'x' * 200)
        self.assertEqual(server.drain(), 0)
        after = self.history(self.chat_with(directory))
        self.assertEqual(after, before)

    @harness.needs_signals
    def test_a_full_disk_is_reported_and_survived(self):
        directory = self.directory()
        server = self.chat_with(directory, file_blocks=16)
        alice = self.member(server, 'alice', 'lobby')
        bob = self.member(server, 'bob', 'lobby')
        alice.expect('[lobby] -- bob joined')
        for number in range(100):
            bob.say(f'{number} ' + 'x' * 200)
            alice.expect(f'[lobby] bob: {number} ' + 'x' * 200)
        server.wait_line(r'.*error.*history: file too large; the chat goes on.*', server.stderr)
        self.assertEqual(len(self.history(server)), 100)
        self.assertEqual(server.drain(), 0)
        # What is in the file is whole.
        server = self.chat_with(directory)
        kept = self.history(server)
        self.assertGreater(len(kept), 10)
        self.assertEqual(kept, [f'[lobby] bob: {i} ' + 'x' * 200 for i in range(len(kept))])
        self.assertNotIn('torn', server.stderr.text())

    @unittest.skipUnless(shutil.which('strace'), 'needs strace')
    def test_what_the_disk_loses_is_written_anew(self):
        directory = self.directory()
        server = self.chat_with(directory, '--fsync', '10ms')
        alice = self.member(server, 'alice', 'lobby')
        with subprocess.Popen(['strace', '-f', '-p', str(server.pid), '-o', os.devnull, '-e',
                               'inject=fsync:error=EIO:when=1'], stderr=subprocess.PIPE) as tracer:
            try:
                if b'attached' not in tracer.stderr.readline():
                    self.skipTest('strace may not attach')
                alice.say('one')
                server.wait_line('.*does not keep it.*written anew.*', server.stderr)
            finally:
                tracer.terminate()
        before = os.stat(f'{directory}/history').st_ino
        alice.say('two', '/help quit')
        alice.until('-- /quit.*')
        self.assertNotEqual(os.stat(f'{directory}/history').st_ino, before)
        self.assertEqual(server.drain(), 0)
        self.assertEqual(self.history(self.chat_with(directory)),
                         ['[lobby] alice: one', '[lobby] alice: two'])

    def test_one_server_at_a_time(self):
        directory = self.directory()
        self.chat_with(directory)
        code, output, errors = self.run_command('chat', '--listen', 'tcp://127.0.0.1:0', '--data',
                                                directory)
        self.assertEqual((code, output), (78, b''))
        self.assertIn('another server uses it', errors)

    def test_a_directory_that_is_none(self):
        code, output, errors = self.run_command('chat', '--data', harness.TERN)
        self.assertEqual((code, output), (78, b''))
        self.assertRegex(errors, r'\Atern chat: --data .*; give a directory that can be written to')

    def test_every_policy_of_syncing(self):
        for policy in ('always', 'off', '10ms'):
            with self.subTest(policy=policy):
                directory = self.directory()
                server = self.chat_with(directory, '--fsync', policy)
                alice = self.member(server, 'alice', 'lobby')
                alice.say('one', '/quit')
                alice.rest()
                self.assertEqual(server.drain(), 0)
                self.assertEqual(self.history(self.chat_with(directory)), ['[lobby] alice: one'])
        code, _, errors = self.run_command('chat', '--fsync', 'now and then')
        self.assertEqual(code, 64)
        self.assertIn('always, off, or a duration', errors)


if __name__ == '__main__':
    harness.main()
