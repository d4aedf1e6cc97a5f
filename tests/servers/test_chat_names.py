"""Names of a chat that a password keeps, and operators, as a black box."""
import base64
import contextlib
import hashlib
import os
import pty
import termios
import time
import unittest

import harness
import tls_case
from test_chat import Case

SALT = b'0123456789abcdef'


def hashed(password):
    """A line's second half, cheaper than those of --reserve: its tests wait less."""
    key = hashlib.scrypt(password.encode(), salt=SALT, n=1024, r=8, p=1, dklen=32)
    salt, key = (base64.b64encode(data).decode().rstrip('=') for data in (SALT, key))
    return f'$scrypt$ln=10,r=8,p=1${salt}${key}'


@tls_case.needs_tls
class Names(Case):
    def files(self, reserved, operators=''):
        directory = self.directory()
        paths = []
        for name, text in (('reserved', reserved), ('operators', operators)):
            paths.append(os.path.join(directory, name))
            with open(paths[-1], 'w', encoding='ascii') as file:
                file.write(text)
        return paths

    def chat_with(self, reserved, operators='', *arguments):
        paths = self.files(reserved, operators)
        names = ['--reserved', paths[0]] + (['--operators', paths[1]] if operators else [])
        return self.chat(*names, *arguments)

    def test_reserve_prints_what_the_server_and_others_understand(self):
        code, output, errors = self.run_command('chat', '--reserve', 'Alice',
                                                stdin=b'open sesame\nmore\n')
        self.assertEqual((code, errors), (0, ''))
        name, _, rest = output.decode().rstrip('\n').partition(' ')
        _, kind, costs, salt, key = rest.split('$')
        self.assertEqual((name, kind, costs), ('Alice', 'scrypt', 'ln=15,r=8,p=3'))
        salt, key = (base64.b64decode(text + '=' * (-len(text) % 4)) for text in (salt, key))
        self.assertEqual(key, hashlib.scrypt(b'open sesame', salt=salt, n=1 << 15, r=8, p=3,
                                             maxmem=1 << 27, dklen=32))
        server = self.chat_with(output.decode())
        alice = self.member(server)
        alice.expect_answer('/nick alice',
                            '!! alice is reserved; if it is yours, write /nick alice PASSWORD')
        alice.expect_answer('/nick alice open sesame', '-- you are alice now')
        self.assertNotIn('sesame', server.stderr.text())

    def test_what_comes_after_a_password_waits_for_it(self):
        server = self.chat_with(f'alice {hashed("open sesame")}\n', '', '--workers', '2',
                                '--flood', 'off')
        bob = self.member(server, 'bob', 'lobby')
        alice = self.member(server)
        alice.say('/nick alice open sesame', '/join lobby', *(f'line {i}' for i in range(100)),
                  '/quit')
        bob.until(r'\[lobby\] -- alice joined')
        bob.expect(*(f'[lobby] alice: line {i}' for i in range(100)))
        bob.expect('[lobby] -- alice left the chat')
        self.assertEqual(alice.rest()[0], '-- you are alice now')

    def test_wrong_passwords(self):
        server = self.chat_with(f'alice {hashed("open sesame")}\n')
        mallory = self.member(server)
        for _ in range(2):
            mallory.expect_answer('/nick alice guess', '!! that is not the password of alice')
        mallory.say('/nick alice guess')
        self.assertEqual(mallory.rest(), ['!! that makes 3 wrong passwords; goodbye'])
        # Whoever tries: a name is guessed at ten times at once, and then slowly.
        for _ in range(3):
            mallory = self.member(server)
            mallory.say(*['/nick alice guess'] * 3)
            last = mallory.rest() if _ < 2 else mallory.until('!! too many passwords .*')
        self.assertTrue(last)
        self.assertIn('warning a wrong password for alice', server.stderr.text().replace('  ', ' '))
        self.assertNotIn('guess', server.stderr.text())

    def test_who_goes_while_a_password_is_looked_at(self):
        server = self.chat_with(f'alice {hashed("open sesame")}\n')
        for _ in range(20):
            member = self.member(server)
            member.say('/nick alice open sesame', '/join lobby')
            harness.reset(member.socket)
        alice = self.member(server)
        alice.say('/nick alice open sesame')
        alice.until('-- you are alice now')

    def test_operators(self):
        server = self.chat_with(f'# ours\n\nroot {hashed("open sesame")}\n', 'root\n')
        bob = self.member(server, 'bob', 'lobby')
        carol = self.member(server, 'carol', 'lobby')
        root = self.member(server)
        root.expect_answer('/nick root open sesame', '-- you are root now')
        root.join('lobby')
        root.expect_answer('/who', '-- lobby: @bob carol @root')
        bob.expect_answer('/kick root',
                          '[lobby] -- carol joined')
        bob.until('!! root is an operator of this server; operators alone may do that')
        root.say('/ban bob')
        carol.until(r'\[lobby\] -- bob was banned by root')

    def test_what_is_wrong_in_the_files(self):
        good = f'alice {hashed("open sesame")}\n'
        for reserved, operators, problem in (
                ('alice\n', '', 'reserved:1: there is no good hash of a password behind the name; '
                                'write the line that'),
                ('alice secret\n', '', 'reserved:1: there is no good hash'),
                (f'{good}#\nA-b:c x\n', '', 'reserved:3: that is no name that can be reserved'),
                (good + good, '', 'reserved:2: alice is reserved further up already'),
                (good, 'bob\n', 'operators:1: bob is not in --reserved FILE, so anybody could'),
                (good, 'alice bob\n', 'operators:1: that is no name')):
            with self.subTest(problem=problem):
                paths = self.files(reserved, operators)
                names = ['--reserved', paths[0]] + (['--operators', paths[1]] if operators else [])
                code, output, errors = self.run_command('chat', *names)
                self.assertEqual((code, output), (78, b''))
                self.assertIn(problem, errors)
                self.assertEqual(errors.count('\n'), 1)
                self.assertNotIn('secret', errors)
        code, _, errors = self.run_command('chat', '--reserved', '/nonexistent')
        self.assertEqual(code, 78)
        self.assertIn('--reserved /nonexistent: it cannot be read', errors)

    @unittest.skipIf(harness.WINDOWS, 'needs a pseudo-terminal')
    def test_a_password_is_not_shown(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        before = termios.tcgetattr(theirs)
        process = self.process('chat', '--reserve', 'alice', stdin=theirs)
        process.stderr.wait(lambda data: b'password for alice: ' in data,
                            time.monotonic() + harness.PATIENCE_S)
        os.write(ours, b'open sesame\n')
        self.assertEqual(process.wait(), 0)
        self.assertTrue(process.stdout.text().startswith('alice $scrypt$'))
        self.assertEqual(termios.tcgetattr(theirs), before)
        os.close(theirs)
        with contextlib.suppress(OSError):
            self.assertNotIn(b'sesame', os.read(ours, 4096))

    def test_what_cannot_be_reserved(self):
        for name, password in (('alice', b'short\n'), ('alice', b''), ('alice', b'12345678\0\n'),
                               ('alice', b'x' * 201 + b'\n'), ('alice', b' 12345678\n'),
                               ('guest-1', b'12345678\n'), ('1st', b'12345678\n')):
            with self.subTest(name=name, password=password):
                code, output, errors = self.run_command('chat', '--reserve', name, stdin=password)
                self.assertEqual((code, output), (64, b''))
                self.assertIn('--reserve: that is no ', errors)
                self.assertEqual(errors.count('\n'), 1)


if __name__ == '__main__':
    harness.main()
