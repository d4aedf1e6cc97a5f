"""TLS from the outside: Python's ssl against `tern echo`, and the commands that make certificates,
connect and measure."""
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import sys

import harness
from tls_case import Case, needs_tls


@needs_tls
class Tls(Case):
    def test_echo_in_both_versions(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version.name):
                context = self.context(directory)
                context.minimum_version = context.maximum_version = version
                client = self.tls_client(server, context)
                # One thread: Python's ssl does not let two use a connection at a time.
                data = harness.pattern(300_000)
                for start in range(0, len(data), 50_000):
                    client.sendall(data[start:start + 50_000])
                    self.assertEqual(harness.receive(client, 50_000), data[start:start + 50_000])
                # Both say that they have said all, and the server answers with its own end.
                client.unwrap().close()

    def test_old_versions_are_refused(self):
        directory = self.certificates()
        server = self.serve_tls(directory, '--stats', '100ms')
        context = self.context(directory)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers('DEFAULT@SECLEVEL=0')
        with self.assertRaises(ssl.SSLError):
            self.tls_client(server, context)
        newest = self.serve_tls(directory, '--tls-min', '1.3')
        context = self.context(directory)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            self.tls_client(newest, context)

    def test_a_client_checks_the_name(self):
        directory = self.certificates('--host', 'echo.example')
        server = self.serve_tls(directory)
        self.exchange(self.tls_client(server, self.context(directory), 'echo.example'))
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.tls_client(server, self.context(directory), 'localhost')

    def test_the_certificate_follows_the_name(self):
        one = self.certificates('--host', 'one.example')
        two = os.path.join(self.directory(), 'two')
        os.mkdir(two)
        for name in ('ca.pem', 'ca-key.pem'):
            shutil.copy(f'{one}/{name}', two)
        self.certificates('--host', '*.two.example', directory=two)
        server = self.serve('--tls-cert', f'{one}/cert.pem', '--tls-key', f'{one}/key.pem',
                            '--tls-cert', f'{two}/cert.pem', '--tls-key', f'{two}/key.pem',
                            listen='tls://127.0.0.1:0')
        for name in ('one.example', 'a.two.example'):
            self.exchange(self.tls_client(server, self.context(one), name))

    def test_sessions_are_resumed(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(directory)
            context.minimum_version = context.maximum_version = version
            session = None
            for round_ in range(3):
                client = self.tls_client(server, context, session=session)
                self.exchange(client)
                self.assertEqual(client.session_reused, round_ > 0)
                session = client.session
                client.close()

    def test_protocols_are_agreed_on(self):
        directory = self.certificates()
        server = self.serve_tls(directory, '--tls-alpn', 'echo,other')
        context = self.context(directory)
        context.set_alpn_protocols(['other', 'echo'])
        client = self.tls_client(server, context)
        self.assertEqual(client.selected_alpn_protocol(), 'echo')
        context.set_alpn_protocols(['h2'])
        with self.assertRaises(ssl.SSLError):
            self.tls_client(server, context)

    def test_clients_must_show_a_certificate(self):
        directory = self.certificates()
        self.certificates('--client', 'alice', directory=directory)
        server = self.serve_tls(directory, '--tls-verify', 'required', '--tls-ca',
                                f'{directory}/ca.pem')
        context = self.context(directory)
        with self.assertRaises(OSError):
            # In TLS 1.3 the client hears of it only when it reads.
            self.exchange(self.tls_client(server, context))
        context.load_cert_chain(f'{directory}/client.pem', f'{directory}/client-key.pem')
        self.exchange(self.tls_client(server, context))
        url = server.url.replace('127.0.0.1', 'localhost')
        trusted = ['--tls-ca', f'{directory}/ca.pem']
        code, output, errors = self.run_command('connect', url, *trusted, stdin=b'x')
        self.assertEqual(output, b'')
        self.assertIn('certificate required', errors)
        code, output, errors = self.run_command(
            'connect', url, *trusted, '--tls-cert', f'{directory}/client.pem', '--tls-key',
            f'{directory}/client-key.pem', stdin=b'hello\n')
        self.assertEqual((code, output, errors), (0, b'hello\n', ''))

    def test_four_ends_are_counted_apart(self):
        directory = self.certificates()
        server = self.serve_tls(directory, '--stats', '50ms')
        context = self.context(directory)

        def seen(reason):
            return any(f'closed.{reason}' in line for line in server.stderr.text().splitlines())

        client = self.tls_client(server, context)
        self.exchange(client)
        client.unwrap().close()
        harness.eventually(lambda: seen('finished'), 'a clean end')
        client = self.tls_client(server, context)
        self.exchange(client)
        client.close()
        harness.eventually(lambda: seen('truncated'), 'a truncated one')
        client = harness.open_client(server.url)
        client.sendall(b'\x16\x03\x01\x00\x05hello')
        self.assertEqual(harness.receive(client, 1), b'\x15')  # an alert
        client.close()
        harness.eventually(lambda: seen('tls_error'), 'a protocol error')
        client = self.tls_client(server, context)
        self.exchange(client)
        raw = client.detach()
        plain = socket.socket(fileno=raw)
        harness.reset(plain)
        harness.eventually(lambda: seen('reset_by_peer'), 'a reset')

    def test_silent_clients_keep_nobody_out(self):
        directory = self.certificates()
        server = self.serve_tls(directory, '--handshake-timeout', '2s', '--stats', '100ms')
        harness.raise_descriptor_limit()
        silent = [harness.open_client(server.url) for _ in range(1000)]
        for client in silent:
            self.addCleanup(client.close)
        self.exchange(self.tls_client(server, self.context(directory)))
        for client in silent:
            self.assertEqual(client.recv(1), b'')  # at the deadline
        server.wait_line('.*closed.handshake_timeout.*', server.stderr)

    # OpenSSL's own state for a connection takes most of it, and differs a little between releases.
    @harness.needs_proc
    def test_idle_connections_keep_no_record_buffers(self):
        count = int(os.environ.get('TERN_TEST_IDLE', 500))
        directory = self.certificates()
        server = self.serve_tls(directory)
        harness.raise_descriptor_limit()
        context = self.context(directory)

        def opened(wanted):
            clients = [self.tls_client(server, context) for _ in range(wanted)]
            for client in clients:
                self.exchange(client, b'x' * 20_000)
            return server.resident_bytes(), clients

        before, early = opened(50)
        after, late = opened(count)
        grown = (after - before) / count
        print(f'{count} idle TLS connections: {grown:.0f} B each', file=sys.stderr)
        self.assertLessEqual(grown, 16 * 1024)
        self.exchange(early[0])
        self.exchange(late[-1])

    @harness.needs_signals
    def test_certificates_change_under_load(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        context = self.context(directory)
        old = self.tls_client(server, context)
        self.exchange(old)
        load = self.process('load', server.url, '--tls-ca', f'{directory}/ca.pem', '--churn',
                            '-c', '8', '-d', '2s', '--warmup', '0s', '--no-resume')
        before = self.tls_client(server, context).getpeercert(binary_form=True)
        for name in ('cert.pem', 'key.pem'):
            os.remove(f'{directory}/{name}')
        self.certificates(directory=directory)
        server.signal(signal.SIGHUP)
        server.wait_line('.*certificates read again.*', server.stderr)
        self.assertNotEqual(
            self.tls_client(server, context).getpeercert(binary_form=True), before)
        after = self.tls_client(server, context).getpeercert(binary_form=True)
        # A bad file changes nothing, and is told.
        with open(f'{directory}/cert.pem', 'w', encoding='ascii') as file:
            file.write('not a certificate')
        server.signal(signal.SIGHUP)
        server.wait_line('.*the old ones stay: no PEM certificate.*', server.stderr)
        self.assertEqual(self.tls_client(server, context).getpeercert(binary_form=True), after)
        self.exchange(old)
        self.assertEqual(load.wait(), 0, load.said())

    def test_secrets_are_logged_with_a_warning(self):
        directory = self.certificates()
        path = f'{directory}/secrets'
        server = self.serve_tls(directory, '--tls-keylog', path)
        self.exchange(self.tls_client(server, self.context(directory)))
        server.wait_line('.*the secrets of all TLS connections.*', server.stderr)
        if not harness.WINDOWS:  # which has no modes
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding='ascii') as file:
            self.assertIn('CLIENT_TRAFFIC_SECRET_0 ', file.read())

    def test_what_a_server_refuses(self):
        directory = self.certificates()
        pair = ['--tls-cert', f'{directory}/cert.pem', '--tls-key', f'{directory}/key.pem']
        listen = ['echo', '--listen', 'tls://127.0.0.1:0']
        for arguments, code, fragment in (
                ([], 64, 'tern cert --out'),
                (pair[:2], 64, 'one key for each'),
                ([*pair, '--tls-verify', 'required'], 64, '--tls-ca'),
                ([*pair, '--tls-verify', 'sometimes'], 64, 'off, optional or required'),
                ([*pair, '--tls-min', '1.1'], 64, '1.2 or 1.3'),
                ([*pair[:3], f'{directory}/ca-key.pem'], 78, 'does not belong to'),
                ([*pair[:3], f'{directory}/missing'], 78, 'No such file'),
        ):
            with self.subTest(arguments=arguments):
                actual, _, errors = self.run_command(*listen, *arguments)
                self.assertEqual(actual, code, errors)
                self.assertIn(fragment, errors)
        if harness.WINDOWS:
            return  # files have no modes
        os.chmod(f'{directory}/key.pem', 0o644)
        code, _, errors = self.run_command(*listen, *pair)
        self.assertEqual(code, 78)
        self.assertIn('chmod 600', errors)
        self.assertNotIn('denied', errors)

    # --- our own clients

    def test_connect(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        trusted = ['--tls-ca', f'{directory}/ca.pem']
        code, output, errors = self.run_command('connect', server.url, *trusted, stdin=b'hello\n')
        self.assertEqual((code, output, errors), (0, b'hello\n', ''))
        code, _, errors = self.run_command('connect', server.url, stdin=b'hello\n')
        self.assertEqual(code, 69)
        self.assertIn('TLS failed: ', errors)
        code, _, errors = self.run_command('connect', server.url, *trusted, '--tls-name', 'other',
                                           stdin=b'hello\n')
        self.assertIn('hostname mismatch', errors)
        code, output, errors = self.run_command('connect', server.url, '--tls-insecure',
                                                stdin=b'hello\n')
        self.assertEqual((code, output), (0, b'hello\n'))
        self.assertIn('nobody checks who answers', errors)
        code, _, errors = self.run_command('connect', server.url, '--tls-insecure',
                                           '--tls-fingerprint', '00' * 32)
        self.assertEqual(code, 64)
        self.assertIn('--tls-insecure', errors)
        plain = self.serve()
        code, _, errors = self.run_command('connect', plain.url.replace('tcp', 'tls'),
                                           '--tls-insecure', stdin=b'hello\n')
        self.assertEqual(code, 69)

    def test_load(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        load = ['load', server.url, '--tls-ca', f'{directory}/ca.pem']
        for arguments, resumed in ((['-n', '500', '-p', '4'], False),
                                   (['-n', '100', '-s', '100k', '-c', '5'], False),
                                   (['-n', '200', '-c', '4', '--churn'], True),
                                   (['-n', '100', '-c', '4', '--churn', '--no-resume'], False)):
            with self.subTest(arguments=arguments):
                code, output, errors = self.run_command(*load, *arguments)
                self.assertEqual((code, errors), (0, ''))
                count = re.search(r'(\d+) handshakes?, (\d+) of them resumed', output.decode())
                self.assertEqual(int(count.group(2)) > 0, resumed, output)
        code, _, errors = self.run_command('load', server.url, '-n', '10')
        self.assertEqual(code, 69)
        self.assertIn('TLS: ', errors)

    def test_demo(self):
        demo = self.serve(command='demo', listen=None)
        text = harness.eventually(
            lambda: 'Ctrl-C ends' in demo.stdout.text() and demo.stdout.text(), 'instructions')
        arguments = re.search(r'connect (tls://\S+ --tls-fingerprint \w+)', text).group(1).split()
        code, output, errors = self.run_command('connect', *arguments, stdin=b'hello\n')
        self.assertEqual((code, output, errors), (0, b'hello\n', ''))

    def test_certificates_are_never_overwritten(self):
        directory = self.certificates('--rsa')
        for name, mode in (('key.pem', 0o600), ('ca-key.pem', 0o600), ('cert.pem', None)):
            status = os.stat(f'{directory}/{name}')
            if mode is not None and not harness.WINDOWS:
                self.assertEqual(stat.S_IMODE(status.st_mode), mode)
        with open(f'{directory}/cert.pem', 'rb') as file:
            before = file.read()
        code, output, errors = self.run_command('cert', '--out', directory)
        self.assertEqual((code, output), (73, b''))
        self.assertIn('cert.pem exists', errors)
        with open(f'{directory}/cert.pem', 'rb') as file:
            self.assertEqual(file.read(), before)
        for name in ('cert.pem', 'key.pem', 'ca-key.pem'):
            os.remove(f'{directory}/{name}')
        for _ in range(2):  # the first try must leave nothing that the second would use
            code, output, errors = self.run_command('cert', '--out', directory)
            self.assertEqual((code, output), (78, b''))
            self.assertIn('ca.pem is there without', errors)
        self.run_command('cert', '--out', f'{directory}/other')
        shutil.copy(f'{directory}/other/ca-key.pem', directory)
        code, output, errors = self.run_command('cert', '--out', directory)
        self.assertEqual((code, output), (78, b''))
        self.assertIn('does not belong to its certificate', errors)
        code, _, errors = self.run_command('cert', '--out', f'{directory}/x', '--host', 'a b')
        self.assertEqual(code, 64)
        self.assertIn("'a b' is not a host name", errors)


if __name__ == '__main__':
    harness.main()
