"""TLS as other programs see it: openssl, gnutls-cli, and the scanners sslscan and testssl."""
import json
import re
import subprocess
import unittest

import harness
from tls_case import Case, needs, needs_tls


@needs_tls
class Programs(Case):
    def openssl(self, server, directory, *arguments, data=b''):
        return subprocess.run(
            ['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', '-CAfile',
             f'{directory}/ca.pem', '-verify_return_error', *arguments], input=data, check=False,
            capture_output=True, timeout=harness.PATIENCE_S)

    @needs('openssl', 'openssl')
    def test_openssl(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        session = f'{directory}/session'
        for version in ('-tls1_2', '-tls1_3'):
            for flags in (['-sess_out', session], ['-sess_in', session]):
                answer = self.openssl(server, directory, version, *flags, data=b'Q\n')
                self.assertEqual(answer.returncode, 0, answer.stderr.decode())
                self.assertIn(b'Verify return code: 0 (ok)', answer.stdout)
                if version == '-tls1_2' and '-sess_in' in flags:
                    self.assertIn(b'Reused, ', answer.stdout)
        answer = self.openssl(server, directory, '-tls1_2', data=b'R\n')
        self.assertIn(b'no renegotiation', answer.stderr)

    @needs('gnutls-cli', 'gnutls-bin')
    def test_gnutls(self):
        directory = self.certificates()
        server = self.serve_tls(directory)
        for priority in ('NORMAL:-VERS-ALL:+VERS-TLS1.2', 'NORMAL:-VERS-ALL:+VERS-TLS1.3'):
            answer = subprocess.run(
                ['gnutls-cli', '--x509cafile', f'{directory}/ca.pem', '--priority', priority,
                 '--resume', '-p', str(server.port), 'localhost'], input=b'hello gnutls\n',
                check=False, capture_output=True, timeout=harness.PATIENCE_S)
            self.assertEqual(answer.returncode, 0, answer.stdout.decode() + answer.stderr.decode())
            self.assertIn(b'hello gnutls', answer.stdout)
            self.assertIn(b'This is a resumed session', answer.stdout)

    @needs('sslscan', 'sslscan')
    def test_sslscan(self):
        server = self.serve_tls(self.certificates())
        answer = subprocess.run(
            ['sslscan', '--no-colour', f'127.0.0.1:{server.port}'], check=True,
            capture_output=True, text=True, timeout=harness.PATIENCE_S).stdout
        enabled = re.findall(r'^(\S+)\s+enabled$', answer, re.MULTILINE)
        self.assertEqual(enabled, ['TLSv1.2', 'TLSv1.3'], answer)
        self.assertIn('Session renegotiation not supported', answer)
        self.assertNotIn('Compression enabled', answer)
        self.assertNotIn('vulnerable to heartbleed', answer.replace('not vulnerable', ''))

    # It takes a minute, and what it looks at is the same in each build.
    @unittest.skipIf(harness.SANITIZED, 'a build with sanitizers')
    @needs('testssl', 'testssl.sh')
    def test_testssl(self):
        server = self.serve_tls(self.certificates())
        path = f'{self.directory()}/findings.json'
        subprocess.run(
            ['testssl', '--quiet', '--color', '0', '--warnings', 'batch', '--nodns', 'none',
             '--protocols', '--vulnerable', '--pfs', '--jsonfile', path,
             f'127.0.0.1:{server.port}'], stdin=subprocess.DEVNULL, check=False,
            capture_output=True, timeout=240)
        with open(path, encoding='utf-8') as file:
            findings = {entry['id']: entry for entry in json.load(file)}
        versions = {name: findings[name]['finding'].split()[0]
                    for name in ('SSLv2', 'SSLv3', 'TLS1', 'TLS1_1', 'TLS1_2', 'TLS1_3')}
        self.assertEqual(versions, {'SSLv2': 'not', 'SSLv3': 'not', 'TLS1': 'not', 'TLS1_1': 'not',
                                    'TLS1_2': 'offered', 'TLS1_3': 'offered'})
        for name in ('heartbleed', 'CCS', 'ROBOT', 'secure_renego', 'secure_client_renego',
                     'CRIME_TLS', 'SWEET32', 'FREAK', 'DROWN', 'LOGJAM', 'LUCKY13', 'RC4', 'PFS'):
            self.assertEqual(findings[name]['severity'], 'OK', findings[name])
        findings.pop('engine_problem', None)  # of the program's own OpenSSL
        bad = [entry for entry in findings.values()
               if entry['severity'] not in ('OK', 'INFO', 'DEBUG')]
        self.assertEqual(bad, [])

    @needs('openssl', 'openssl')
    def test_a_stapled_response(self):
        directory = self.certificates()
        self.sign_response(directory)
        server = self.serve_tls(directory, '--tls-ocsp', f'{directory}/response.der')
        for version in ('-tls1_2', '-tls1_3'):
            answer = self.openssl(server, directory, version, '-status', data=b'Q\n')
            self.assertEqual(answer.returncode, 0, answer.stderr.decode())
            self.assertIn(b'OCSP Response Status: successful', answer.stdout)
            self.assertIn(b'Cert Status: good', answer.stdout)

    def sign_response(self, directory):
        """As an authority does it, from its list of what it has signed."""
        def openssl(*arguments):
            return subprocess.run(['openssl', *arguments], check=True, capture_output=True,
                                  text=True, timeout=harness.PATIENCE_S).stdout
        serial = openssl('x509', '-in', f'{directory}/cert.pem', '-noout', '-serial')
        with open(f'{directory}/index', 'w', encoding='ascii') as file:
            number = serial.strip().partition('=')[2]
            file.write(f'V\t391231235959Z\t\t{number}\tunknown\t/CN=localhost\n')
        authority = f'{directory}/ca.pem'
        openssl('ocsp', '-index', f'{directory}/index', '-rsigner', authority, '-rkey',
                f'{directory}/ca-key.pem', '-CA', authority, '-issuer', authority, '-cert',
                f'{directory}/cert.pem', '-respout', f'{directory}/response.der', '-ndays', '1')

    @needs('openssl', 'openssl')
    def test_a_client_with_a_certificate(self):
        directory = self.certificates()
        self.certificates('--client', 'alice', directory=directory)
        pair = ['-cert', f'{directory}/client.pem', '-key', f'{directory}/client-key.pem']
        # With -quiet openssl does not leave at the end of its input: the server ends it.
        server = self.serve_tls(directory, '--tls-verify', 'required', '--tls-ca',
                                f'{directory}/ca.pem', '--idle-timeout', '500ms')
        for version in ('-tls1_2', '-tls1_3'):
            for arguments, answer in ((pair, b'hello\n'), ([], b'')):
                said = self.openssl(server, directory, version, '-quiet', *arguments,
                                    data=b'hello\n')
                self.assertEqual(said.stdout, answer, said.stderr.decode())


if __name__ == '__main__':
    harness.main()
