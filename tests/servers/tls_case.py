"""What tests of servers behind TLS share: certificates, servers and clients that use them."""
import os
import shutil
import ssl
import subprocess
import unittest

import harness

needs_tls = unittest.skipIf(
    'no TLS' in subprocess.run([*harness.COMMAND, '--version'], capture_output=True, text=True,
                               check=True, env=harness.CLEAN).stdout, 'a build without TLS')


def needs(program, package):
    return unittest.skipUnless(shutil.which(program), f'needs {program} ({package})')


class Case(harness.Case):
    def certificates(self, *arguments, directory=None):
        """A directory with an authority and what `tern cert` makes from it."""
        directory = directory or os.path.join(self.directory(), 'certs')
        code, output, errors = self.run_command('cert', '--out', directory, *arguments)
        self.assertEqual((code, errors), (0, ''))
        self.assertIn(b'fingerprint ', output)
        return directory

    def serve_tls(self, directory, *arguments, **options):
        return self.serve('--tls-cert', f'{directory}/cert.pem', '--tls-key',
                          f'{directory}/key.pem', *arguments, listen='tls://127.0.0.1:0', **options)

    def context(self, directory):
        return ssl.create_default_context(cafile=f'{directory}/ca.pem')

    def tls_client(self, server, context, name='localhost', **options):
        client = context.wrap_socket(harness.open_client(server.url), server_hostname=name,
                                     suppress_ragged_eofs=False, **options)
        self.addCleanup(client.close)
        return client
