"""What is wrong is said in one line: what, where, and what would be right; with the exit code that
the manual promises, nothing on standard output, and no server half started."""
import os
import random
import re
import socket
import subprocess
import time
import unittest

import harness

USAGE, UNAVAILABLE, FAILURE, SYSTEM = 64, 69, 1, 71

# Arguments, and what the line must hold: what is wrong, where, and the way out.
WRONG_COMMAND_LINES = [
    (['--nope'], ["'--nope'", 'unknown option', 'tern --help']),
    (['frobnicate'], ["'frobnicate'", 'unknown command', 'tern --help']),
    (['ecko'], ["'ecko'", "did you mean 'echo'?"]),
    (['echo', '--nope'], ['tern echo', "'--nope'", 'unknown option', 'tern echo --help']),
    (['echo', '--lisen', 'tcp://127.0.0.1:0'], ["'--lisen'", "did you mean '--listen'?"]),
    (['echo', 'stray'], ["'stray'", 'unexpected argument']),
    (['echo', '--listen'], ['--listen', 'value is missing']),
    (['load', '--quiet=3'], ['--quiet', 'takes no value']),
    (['compare', 'x'], ['after is required']),
    (['compare', '/no/such/a', '/no/such/b'], ['/no/such/a', 'tern load --json']),
    (['compare', 'a', 'b', '--confidence', '100'], ['--confidence', "'100'", '50 to 99']),
    (['connect'], ['url is missing', 'tcp://HOST:PORT']),
    (['connect', 'tcp://127.0.0.1:1', 'stray'], ["'stray'", 'unexpected argument']),
    (['connect', 'tcp://127.0.0.1:1', '--quit', 'a\nb'], ['--quit', 'line break', 'one line']),
    (['connect', 'tcp://127.0.0.1:1', '--wait', 'long'], ['--wait', "'long'", '500ms']),
    (['demo', 'stray'], ["'stray'", 'unexpected argument']),
    (['demo', '--port', '70000'], ['--port', "'70000'", '65535']),
    # Workers and where they get their work from
    (['echo', '--workers', '0'], ['--workers', "'0'", '1 to', 'auto']),
    (['echo', '--workers', '-1'], ['--workers', "'-1'", 'auto']),
    (['echo', '--workers', 'many'], ['--workers', "'many'", 'auto']),
    (['echo', '--workers', '100000'], ['--workers', "'100000'", '1 to']),
    (['echo', '--balance', 'fair'], ['--balance', "'fair'", 'kernel or hand-over']),
    # Limits
    (['echo', '--low-watermark', '2k', '--high-watermark', '1k'],
     ['--low-watermark 2KiB', '--high-watermark 1KiB']),
    (['echo', '--high-watermark', '2M', '--output-limit', '1M'],
     ['--high-watermark 2MiB', '--output-limit 1MiB']),
    (['echo', '--high-watermark', '0'], ['--high-watermark', "'0'", 'above zero']),
    (['echo', '--high-watermark', 'lots'], ['--high-watermark', "'lots'", '16KiB']),
    (['echo', '--high-watermark', '1.5'], ['--high-watermark', "'1.5'"]),
    (['echo', '--high-watermark', '99999999999999999999'], ['--high-watermark', 'too large']),
    (['echo', '--max-connections', '0'], ['--max-connections', "'0'", '1 or more']),
    (['echo', '--backlog', '0'], ['--backlog', "'0'", '1 to']),
    # Durations
    (['echo', '--idle-timeout', '5'], ['--idle-timeout', "'5'", 'unit', '10s']),
    (['echo', '--idle-timeout', '-5s'], ['--idle-timeout', "'-5s'", '10s']),
    (['echo', '--idle-timeout', '5parsecs'], ['--idle-timeout', "'5parsecs'", '10s']),
    (['echo', '--idle-timeout', ''], ['--idle-timeout', "''", '10s']),
    (['echo', '--drain-timeout', '99999999999h'], ['--drain-timeout', 'too large']),
    (['echo', '--stats', 'often'], ['--stats', "'often'", '10s']),
    # Switches and words
    (['echo', '--no-delay', 'maybe'], ['--no-delay', "'maybe'", 'on or off']),
    (['echo', '--v6-only', '1'], ['--v6-only', "'1'", 'on or off']),
    (['echo', '--keep-alive', '0s'], ['--keep-alive', "'0s'", 'off', '60s,10s,6']),
    (['echo', '--keep-alive', '60s,'], ['--keep-alive', "'60s,'", '60s,10s,6']),
    (['echo', '--receive-buffer', '0'], ['--receive-buffer', "'0'", 'auto']),
    (['echo', '--log-level', 'loud'], ['--log-level', "'loud'", 'warning']),
    # The load generator
    (['load', '-c', '0'], ['--connections', "'0'", '1 to']),
    (['load', '-s', '0'], ['--size', "'0'", '1 to']),
    (['load', '-p', '0'], ['--depth', "'0'", '1 to']),
    (['load', '-d', '0s'], ['--duration', "'0s'", '1ms or more']),
    (['load', '-n', '5', '-d', '1s'], ['-n and -d', 'give one']),
    (['load', '--find-max', 'p99<1ms', '--fail-if', 'p99>1ms'], ['--find-max and --fail-if']),
    (['load', '--json', 'a', '--hdr', 'a'], ['--json a and --hdr a']),
    (['load', '--json', '-', '--hdr', '-'], ['--json - and --hdr -']),
    (['load', '--udp-timeout', '1s'], ['--udp-timeout', 'udp://']),
    (['load', '--rooms', '2'], ['--rooms', 'chat://']),
    (['load', '-r', '0'], ['--rate', "'0'", '1 to']),
    (['load', '-r', '1k', '-p', '2'], ['-r and -p', 'drop one']),
    (['load', '--arrivals', 'poisson'], ['--arrivals', 'with -r']),
    (['load', '-r', '1', '--arrivals', 'x'], ['--arrivals', "'x'", 'constant or poisson']),
    (['load', '--find-max', 'fast'], ['--find-max', "'fast'", "'p99>5ms'"]),
    (['load', '--find-max', 'p99<1ms', '-n', '5'], ['--find-max and -n', 'use -d']),
    (['load', '--find-max', 'p99<1ms', '-p', '5'], ['--find-max and -p']),
    (['load', '--fail-if', 'p99=5'], ['--fail-if', "'p99=5'", "'p99>5ms'"]),
    (['load', '--json', '-', '--hdr', '-'], ['--json -', '--hdr -']),
    (['load', 'chat://127.0.0.1:1', '--json', '/no/such/folder/x'],
     ['--json /no/such/folder/x', 'cannot be written']),
    (['load', '--hdr', '/no/such/folder/x'], ['--hdr /no/such/folder/x', 'cannot be written']),
    (['load', '-c', '2', '-t', '5'], ['--threads 5', '-c 2', 'at most 2']),
    (['load', 'udp://127.0.0.1:1', '-s', '1'], ['--size 1', '16 to 65507']),
    (['load', '--server-pid', '999999999'], ['--server-pid 999999999', 'no such process']),
    (['load', '--json', '/no/such/folder/x.json'],
     ['--json /no/such/folder/x.json', 'directory that exists']),
]

# URLs, wrong for servers and clients alike.
WRONG_URLS = [
    ('', ['tcp://HOST:PORT']),
    ('foo', ["'foo'", 'scheme is missing', 'tcp://HOST:PORT']),
    ('127.0.0.1:7007', ['scheme is missing', 'tcp://HOST:PORT']),
    ('http://127.0.0.1:80', ["'http'", 'unknown scheme', 'tcp://HOST:PORT']),
    ('tcp://127.0.0.1', ['port is missing', 'tcp://HOST:PORT']),
    ('tcp://127.0.0.1:', ['port is missing']),
    ('tcp://:7007', ['host is missing']),
    ('tcp://127.0.0.1:70000', ["'70000'", 'too large', '65535']),
    ('tcp://127.0.0.1:-1', ["'-1'", 'not a number']),
    ('tcp://127.0.0.1:http', ["'http'", 'not a number']),
    ('tcp://127.0.0.1:7007/path', ['after the port']),
    ('tcp://user@127.0.0.1:7007', ['user name']),
    ('tcp://300.0.0.1:7007', ["'300.0.0.1'", 'IPv4']),
    ('tcp://[::1:7007', ['IPv6', '[::1]']),
    ('tcp://[127.0.0.1]:7007', ['IPv6', '[::1]']),
    ('tcp://::1:7007', ['brackets', '[::1]']),
    ('unix:', ['path is missing', 'unix:/PATH']),
    ('unix://host/path', ['no host', 'unix:/PATH']),
    ('unix:/' + 'x' * 200, ['bytes', 'at most']),
]


class BadInput(harness.Case):
    def check(self, code, arguments, fragments, **options):
        with self.subTest(arguments=arguments):
            actual, output, errors = self.run_command(*arguments, **options)
            self.assertEqual(actual, code, errors)
            self.assertEqual(output, b'')
            self.assertRegex(errors, r'\Atern( \w+)?: [^\n]+\n\Z', 'one line')
            for fragment in fragments:
                self.assertIn(fragment, errors)

    def test_command_lines(self):
        for arguments, fragments in WRONG_COMMAND_LINES:
            self.check(USAGE, arguments, fragments)

    def test_urls_to_listen_on(self):
        for url, fragments in WRONG_URLS:
            self.check(USAGE, ['echo', '--listen', url], ['--listen', *fragments])

    def test_urls_to_connect_to(self):
        for url, fragments in [*WRONG_URLS, ('tcp://127.0.0.1:0', ['port 0'])]:
            self.check(USAGE, ['connect', url], fragments)
            self.check(USAGE, ['load', url], fragments)

    def test_no_arguments_show_the_help(self):
        code, output, errors = self.run_command()
        self.assertEqual((code, output), (USAGE, b''))
        self.assertIn('Usage: tern', errors)

    def test_environment(self):
        self.check(USAGE, ['echo'], ['--workers', "'0'", 'TERN_WORKERS'],
                   environment={'TERN_WORKERS': '0'})
        self.check(USAGE, ['echo'], ['--listen', "'nonsense'", 'TERN_LISTEN'],
                   environment={'TERN_LISTEN': 'tcp://127.0.0.1:0 nonsense'})
        # The command line counts first, and another command does not look.
        server = self.serve('--workers', '1', environment={'TERN_WORKERS': '0'})
        self.exchange(self.client(server))
        self.check(USAGE, ['connect'], ['url is missing'], environment={'TERN_WORKERS': '0'})

    def test_unknown_names(self):
        for command in (['echo', '--listen'], ['connect'], ['load']):
            self.check(UNAVAILABLE, [*command, 'tcp://no-such-host.invalid:7007'],
                       ['tcp://no-such-host.invalid:7007', 'name', 'numeric address'])

    def test_addresses_that_cannot_be_had(self):
        # TEST-NET-1 (RFC 5737): nobody's.
        self.check(UNAVAILABLE, ['echo', '--listen', 'tcp://192.0.2.1:0'],
                   ['tcp://192.0.2.1:0', 'address of this machine'])
        if not harness.WINE:  # which gives datagram sockets any address
            self.check(UNAVAILABLE, ['echo', '--listen', 'udp://192.0.2.1:0'],
                       ['udp://192.0.2.1:0', 'address of this machine'])

    @harness.needs_unix
    def test_paths_that_cannot_be_had(self):
        self.check(UNAVAILABLE, ['echo', '--listen', 'unix:/no/such/folder/socket'],
                   ['unix:/no/such/folder/socket', 'path that exists'])
        path = os.path.join(self.directory(), 'file')
        with open(path, 'w', encoding='ascii') as file:
            file.write('precious')
        self.check(UNAVAILABLE, ['echo', '--listen', f'unix:{path}'], [path, 'in use'])
        with open(path, encoding='ascii') as file:
            self.assertEqual(file.read(), 'precious')

    def test_one_wrong_address_of_two_starts_nothing(self):
        taken = self.serve()
        self.check(UNAVAILABLE, ['echo', '--listen', 'tcp://127.0.0.1:0', '--listen', taken.url],
                   [taken.url, 'in use'])

    @unittest.skipIf(harness.WINDOWS, 'every port is free for all there')
    def test_privileged_port(self):
        options = {'user': 65534, 'group': 65534, 'extra_groups': []} if os.geteuid() == 0 else {}
        port = random.SystemRandom().randrange(600, 1000)
        try:
            probe = subprocess.run([*harness.COMMAND, '--version'], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, timeout=harness.PATIENCE_S,
                                   check=False, **options)
        except PermissionError:
            self.skipTest('another user may not run the command')
        self.assertEqual(probe.returncode, 0)
        if self.may_bind(port, options):
            self.skipTest('every port is free for all here')
        self.check(UNAVAILABLE, ['echo', '--listen', f'tcp://127.0.0.1:{port}'],
                   [f'tcp://127.0.0.1:{port}', 'permission denied', 'above 1023'], user=options)

    def may_bind(self, port, options):
        script = f'import socket; socket.socket().bind(("127.0.0.1", {port}))'
        return subprocess.run(['python3', '-c', script], stdin=subprocess.DEVNULL, check=False,
                              stderr=subprocess.DEVNULL, timeout=harness.PATIENCE_S,
                              **options).returncode == 0

    def test_nobody_listens(self):
        url = self.dead_url()
        self.check(UNAVAILABLE, ['connect', url], [url, 'refused', 'start the server'])
        self.check(UNAVAILABLE, ['load', url, '-n', '10'], [url.removeprefix('tcp://'), 'refused',
                                                            'start the server'])
        url = f'udp://127.0.0.1:{harness.unused_port()}'
        self.check(UNAVAILABLE, ['load', url, '-c', '1', '-d', '300ms', '--warmup', '0s'],
                   ['nobody answers', 'start the server'])

    @harness.needs_unix
    def test_nobody_listens_on_a_path(self):
        path = os.path.join(self.directory(), 'socket')
        self.check(UNAVAILABLE, ['connect', f'unix:{path}'], [path, 'no such file'])
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(path)
            self.check(UNAVAILABLE, ['connect', f'unix:{path}'], [path, 'refused'])
            self.check(UNAVAILABLE, ['load', f'unix:{path}', '-n', '10'], [path, 'refused'])

    @unittest.skipIf(harness.WINDOWS, 'there is no such limit')
    def test_too_few_descriptors(self):
        self.check(SYSTEM, ['load', 'tcp://127.0.0.1:1', '-c', '1000'],
                   ['1000 connections', 'the limit is 256', 'ulimit'], descriptors=256)
        code, _, errors = self.run_command('load', 'tcp://127.0.0.1:1', '-c', '1000',
                                           descriptors=256)
        # What it says would be possible is.
        most = re.search(r'at most (\d+) connections', errors).group(1)
        server = self.serve()
        code, _, errors = self.run_command('load', server.url, '-c', most, '-n', most,
                                           descriptors=256)
        self.assertEqual(code, 0, errors)

    @unittest.skipIf(harness.WINDOWS or harness.SANITIZED, 'there is no such limit')
    def test_too_few_descriptors_for_a_server(self):
        for count in range(3, 12):
            with self.subTest(descriptors=count):
                process = self.process('echo', '--listen', 'tcp://127.0.0.1:0', '--workers', '1',
                                       descriptors=count)
                if process.stdout.wait(lambda data: b'ready\n' in data,
                                       time.monotonic() + harness.PATIENCE_S):
                    break
                self.assertIn(process.wait(), (SYSTEM, 127), process.said())
                self.assertEqual(process.stdout.text(), '')
        else:
            self.fail('not even 11 descriptors are enough')

    @unittest.skipIf(harness.WINDOWS or harness.SANITIZED, 'there is no such limit')
    def test_too_few_descriptors_to_connect(self):
        tcp, udp = self.serve(), self.serve(listen='udp://127.0.0.1:0')
        for server in (tcp, udp):
            for count in range(3, 20):
                with self.subTest(server=server.url, descriptors=count):
                    code, _, errors = self.run_command('connect', server.url, '--wait', '10ms',
                                                       stdin=b'hi\n', descriptors=count)
                    if code == 0:
                        break
                    self.assertIn(code, (SYSTEM, 127), errors)
            else:
                self.fail('not even 19 descriptors are enough')

    @unittest.skipUnless(os.path.exists('/dev/full'), 'needs /dev/full')
    def test_standard_output_that_cannot_be_written(self):
        for arguments in (['--help'], ['--version'], ['echo', '--listen', 'tcp://127.0.0.1:0'],
                          ['demo']):
            with open('/dev/full', 'wb') as full:
                self.check(FAILURE, [*arguments, *(['--quiet'] if len(arguments) > 1 else [])],
                           ['standard output', 'space'], stdout=full)


if __name__ == '__main__':
    harness.main()
