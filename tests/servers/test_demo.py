"""tern demo and the help texts: what a newcomer sees first is true."""
import re
import shlex
import subprocess
import time

import harness


class Demo(harness.Case):
    def demo(self, *arguments):
        return self.serve(*arguments, command='demo', listen=None)

    def instructions(self, demo):
        demo.stdout.wait(lambda data: b'Ctrl-C ends' in data,
                         time.monotonic() + harness.PATIENCE_S)
        return demo.stdout.text()

    def test_its_addresses_work(self):
        demo = self.demo()
        schemes = [url.partition(':')[0] for url in demo.urls]
        self.assertEqual(schemes, ['tcp', 'udp', 'tcp', 'tls'][:len(schemes)])
        for url in demo.urls[:2]:  # the chat and TLS have tests of their own
            self.exchange(self.client(url))

    def test_its_instructions_work(self):
        demo = self.demo()
        text = self.instructions(demo)
        commands = re.findall(r'(?:connect|load) (?:tcp|udp)://127\.0\.0\.1:\d+', text)
        self.assertGreaterEqual(len(commands), 3, text)
        for command in commands:
            name, url = command.split()
            self.assertIn(url, demo.urls)
            if url == demo.urls[2]:
                code, output, errors = self.run_command('connect', url, stdin=b'/join lobby\n')
                self.assertEqual((code, errors), (0, ''))
                self.assertIn(b'-- you are in lobby, alone; you moderate it\n', output)
            elif name == 'connect':
                code, output, errors = self.run_command('connect', url, stdin=b'hello\n')
                self.assertEqual((code, output, errors), (0, b'hello\n', ''))
            else:
                code, _, errors = self.run_command('load', url, '-n', '100', '-c', '10')
                self.assertEqual((code, errors), (0, ''))
        # The name to type is the one that was typed.
        self.assertIn(f'{harness.TYPED} connect', text)

    @harness.needs_nc
    def test_its_instructions_for_netcat_work(self):
        text = self.instructions(self.demo())
        command = re.search(r'^ *(nc 127\.0\.0\.1 \d+)', text, re.MULTILINE).group(1)
        answer = subprocess.run([*shlex.split(command), '-N'], input=b'hello\n', check=True,
                                capture_output=True, timeout=harness.PATIENCE_S)
        self.assertEqual(answer.stdout, b'hello\n')

    def test_ends_by_signal(self):
        for number in harness.STOPS:
            with self.subTest(signal=number.name):
                demo = self.demo()
                with harness.open_client(demo.url) as client:
                    self.exchange(client)
                demo.signal(number)
                self.assertEqual(demo.wait(), 0)
                self.assertEqual(demo.stderr.text(), '')

    def test_a_forgotten_client_does_not_hold_it(self):
        demo = self.demo()
        self.exchange(self.client(demo))
        demo.stop()
        self.assertEqual(demo.wait(), 0)

    def test_a_given_port_serves_both(self):
        port = harness.unused_port()
        demo = self.demo('--port', str(port))
        self.assertEqual(demo.urls[:2], [f'tcp://127.0.0.1:{port}', f'udp://127.0.0.1:{port}'])
        for url in demo.urls[:2]:
            self.exchange(self.client(url))


class Help(harness.Case):
    def test_every_command_has_one(self):
        for command in ([], ['echo'], ['chat'], ['connect'], ['load'], ['cert'], ['demo']):
            for flag in ('--help', '-h'):
                with self.subTest(command=command):
                    code, output, errors = self.run_command(*command, flag)
                    self.assertEqual((code, errors), (0, ''))
                    text = output.decode()
                    self.assertIn('Usage: tern', text)
                    self.assertIn('Examples:', text)
                    self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_version(self):
        for flag in ('--version', '-V'):
            code, output, errors = self.run_command(flag)
            self.assertEqual((code, errors), (0, ''))
            self.assertRegex(output.decode(),
                             r'\Atern \d+\.\d+\.\d+ \(poller \w+, (no TLS|\w+ [\w.]+), '
                             r'(gcc|clang) [^\n]*\)\n\Z')


if __name__ == '__main__':
    harness.main()
