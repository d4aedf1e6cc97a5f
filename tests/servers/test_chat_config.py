"""The configuration file of a chat: what it sets, what is wrong with it, and SIGHUP."""
import os
import re
import signal

import harness
import manual
import tls_case
from test_chat import Case
from test_chat_names import hashed


class Configured(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.directory(), 'chat.toml')

    def write(self, text, path=None):
        # As an editor does it: there is always a whole file.
        with open((path or self.path) + '.new', 'w', encoding='utf-8') as file:
            file.write(text)
        os.replace((path or self.path) + '.new', path or self.path)
        return path or self.path

    def check(self, text, *arguments, **options):
        return self.run_command('chat', '--config', self.write(text), '--check-config', *arguments,
                                **options)


class File(Configured):
    def test_every_kind_of_value(self):
        text = ('listen = ["tcp://127.0.0.1:0", "tcp://[::1]:0"]\nworkers = 2\n'
                'max-members = 5000\nsoft-limit = "32KiB"\nping = "1m" # often\n'
                'flood = "off"\nno-delay = true\nquiet = false\nv6-only = "off"\n')
        self.assertEqual(self.check(text), (0, b'OK\n', ''))
        self.assertEqual(self.check(''.join(f'# {i}\n' for i in range(9))), (0, b'OK\n', ''))

    def test_flag_before_environment_before_file_before_default(self):
        self.write('max-members = 1\n')

        def members_max(*arguments, **options):
            server = self.chat('--config', self.path, *arguments, **options)
            members = []
            for _ in range(3):
                client = self.client(server)
                members.append(client)
                if harness.receive(client, 2) == b'!!':
                    break
            return len(members) - 1

        self.assertEqual(members_max(), 1)
        self.assertEqual(members_max(environment={'TERN_MAX_MEMBERS': '2'}), 2)
        self.assertEqual(members_max('--max-members', '1',
                                     environment={'TERN_MAX_MEMBERS': '2'}), 1)

    def test_what_is_wrong_has_its_place(self):
        for text, place, problem in (
                ('ping = "1m"\nmax-membrs = 5\n', '2:1',
                 "there is no option 'max-membrs'; did you mean 'max-members'?"),
                ('xyz = 1\n', '1:1', "there is no option 'xyz'"),
                ('flood = "much"\n', '1:9', "flood: 'much' is not a rate of lines; write off, "),
                ('max-joins = 0\n', '1:13', "max-joins: '0' is out of range; write 1 to 1000"),
                ('ping = 5\n', '1:8', "ping: '5' "),
                ('\n  max-joins = 1.5\n', '2:15', 'max-joins takes no such value; write a '),
                ('max-joins = [1]\n', '1:13', 'max-joins takes one value; write no list'),
                ('listen = []\n', '1:10', 'listen has no value'),
                ('listen = ["tcp://127.0.0.1:0", 7]\n', '1:10', 'listen: '),
                ('listen = "nowhere"\n', '1:10', 'listen: '),
                ('quiet = "yes"\n', '1:9', 'quiet is on or off; write true or false'),
                ('[limits]\nmax-joins = 1\n', '1:2', "there is no option 'limits'"),
                ('config = "x"\n', '1:1', 'config is for the command line alone; remove it here'),
                ('check-config = true\n', '1:1', 'check-config is for the command line alone'),
                ('reserve = "x"\n', '1:1', 'reserve is for the command line alone'),
                ('help = true\n', '1:1', 'help is for the command line alone'),
                ('max-joins = \n', '1:1', ''),
                ('max-joins = 1\nmax-joins = 2\n', '2:', ''),
                ('a = "\xff\n', '1:', '')):
            with self.subTest(text=text):
                code, output, errors = self.check(text)
                self.assertEqual((code, output), (78, b''), errors)
                self.assertIn(f'tern chat: {self.path}:{place[:-1]}', errors)
                if problem:
                    self.assertIn(f'{self.path}:{place}: {problem}', errors)
                self.assertEqual(errors.count('\n'), 1)
        # Also what a flag overrides, and what is wrong with it together with another.
        code, _, errors = self.check('max-joins = 0\n', '--max-joins', '5')
        self.assertEqual(code, 78, errors)
        code, _, errors = self.check('soft-limit = "1MiB"\n')
        self.assertEqual(code, 64)
        self.assertIn('--soft-limit 1MiB is above --hard-limit', errors)
        code, _, errors = self.run_command('chat', '--config', '/nonexistent')
        self.assertEqual(code, 78)
        self.assertIn('--config /nonexistent: it cannot be read', errors)

    @tls_case.needs_tls
    def test_check_reads_the_other_files_too(self):
        code, _, errors = self.check('reserved = "/nonexistent"\n')
        self.assertEqual(code, 78, errors)
        code, _, errors = self.check('listen = "tls://127.0.0.1:0"\ntls-cert = "/nonexistent"\n'
                                     'tls-key = "/nonexistent"\n')
        self.assertNotEqual(code, 0)
        self.assertEqual(errors.count('\n'), 1)


@harness.needs_signals
class Reload(Configured):
    def reload(self, server, expected):
        seen = len(server.stderr.data)
        server.signal(signal.SIGHUP)
        server.wait_line(f'.*{expected}.*', stream=server.stderr, start=seen)

    def test_limits_change_and_nobody_is_dropped(self):
        server = self.chat('--config', self.write('max-joins = 1\n'), '--workers', '2')
        alice = self.member(server, 'alice', 'lobby')
        bob = self.member(server, 'bob', 'lobby')
        alice.expect('[lobby] -- bob joined')
        alice.expect_answer('/join attic', '!! you are in 1 rooms already; /leave ROOM leaves one')
        self.write('max-joins = 2\nmax-topic = 3\nbacklog = 7\nmax-members = 10\n')
        self.reload(server, 'configuration and names read again')
        self.assertIn('these need a restart, and stay as they were: backlog, max-members\n',
                      server.stderr.text())
        alice.expect_answer('/topic four', '!! a topic has at most 3 bytes; write a shorter one')
        alice.join('attic')
        self.write('flood = "1,1"\n')
        self.reload(server, 'configuration and names read again')
        bob.say('one', 'two')
        bob.expect('-- slow down: your lines wait for their turn')
        alice.expect('[lobby] bob: one', '[lobby] bob: two')

    def test_a_bad_file_changes_nothing(self):
        server = self.chat('--config', self.write('max-topic = 3\n'))
        alice = self.member(server, 'alice', 'lobby')
        for text in ('max-topic = 0\n', 'max-topic\n', 'soft-limit = "1GiB"\n'):
            self.write(text)
            self.reload(server, 'configuration not read again, the old one stays: .*')
            alice.expect_answer('/topic four',
                                '!! a topic has at most 3 bytes; write a shorter one')
        os.remove(self.path)
        self.reload(server, 'configuration not read again, the old one stays: --config .*')
        alice.expect_answer('/topic four', '!! a topic has at most 3 bytes; write a shorter one')
        self.write('')  # as for the other files, an empty one is more likely a mistake
        self.reload(server, 'configuration not read again, .*is empty')
        self.write('# nothing\n')
        self.reload(server, 'configuration and names read again')
        alice.expect_answer('/topic four', '[lobby] -- alice set the topic: four')

    @tls_case.needs_tls
    def test_the_manual_says_what_a_reload_takes(self):
        """All options are said that were not said before: the log names what needs a restart."""
        defaults = manual.Help(self, 'chat').defaults()
        values = {name: default or 'x' for name, default in defaults.items()}
        for name in ('--help', '--config', '--check-config', '--reserve'):  # not in a file
            del values[name]
        del values['--quiet']  # it would silence the log
        names = self.write('# nobody\n', os.path.join(self.directory(), 'names'))
        values.update({'--reserved': names, '--operators': names, '--metrics': 'tcp://127.0.0.1:1'})
        server = self.chat('--config', self.write('listen = "tcp://127.0.0.1:0"\n'), listen=None)
        self.write(''.join(f'{name[2:]} = "{value}"\n' for name, value in values.items()))
        self.reload(server, 'configuration and names read again')
        kept = re.search('these need a restart, and stay as they were: (.*)\n',
                         server.stderr.text())[1].split(', ')
        said = re.search(r'- taken at once: (.*?), and what', manual.page('chat.md'), re.DOTALL)[1]
        taken = re.findall(r'`([\w-]+)`', said) + ['reserved', 'operators']
        self.assertEqual(sorted(set(values) - {f'--{name}' for name in kept}),
                         sorted({f'--{name}' for name in taken} - {'--quiet'}))

    def test_a_flag_counts_after_a_reload_too(self):
        server = self.chat('--config', self.write('max-topic = 9\n'), '--max-topic', '3')
        alice = self.member(server, 'alice', 'lobby')
        self.write('max-topic = 10\n')
        self.reload(server, 'configuration and names read again')
        alice.expect_answer('/topic four', '!! a topic has at most 3 bytes; write a shorter one')

    @tls_case.needs_tls
    def test_names_change(self):
        directory = self.directory()
        names, operators = (os.path.join(directory, name) for name in ('names', 'operators'))
        self.write('# nobody\n', names)
        self.write('# nobody\n', operators)
        server = self.chat('--reserved', names, '--operators', operators)
        bob = self.member(server, 'bob', 'lobby')
        root = self.member(server, 'root', 'lobby')
        carol = self.member(server, 'carol', 'lobby')
        self.write(f'root {hashed("open sesame")}\n', names)
        self.write('root\n', operators)
        self.reload(server, 'configuration and names read again')
        root.until('-- you are guest-4 now')
        carol.until(r'\[lobby\] -- root is now guest-4')
        root.expect_answer('/nick root open sesame', '-- you are root now')
        root.say('/kick bob')
        bob.until('-- you left lobby')
        self.write('bob\n', operators)
        self.reload(server, 'configuration not read again, .*operators:1: bob is not in ')


if __name__ == '__main__':
    harness.main()
