"""The unit file for systemd, and the configuration that comes with it."""
import os
import re
import shutil
import subprocess
import unittest

import harness

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'systemd')
UNIT = 'tern-chat.service'


def read(name):
    with open(os.path.join(FOLDER, name), encoding='utf-8') as file:
        return file.read()


class Unit(harness.Case):
    def test_the_configuration_is_right(self):
        self.assertEqual(self.run_command('chat', '--config', os.path.join(FOLDER, 'chat.toml'),
                                          '--check-config'), (0, b'OK\n', ''))

    def test_every_command_of_the_unit_is_one(self):
        commands = re.findall(r'^Exec\w+=\S*/tern (.*)$', read(UNIT), re.MULTILINE)
        self.assertEqual(len(commands), 3)
        path = os.path.join(FOLDER, 'chat.toml')
        for command in commands:
            arguments = command.replace('/etc/tern/chat.toml', path).split()
            if '--check-config' not in arguments:
                arguments.append('--check-config')
            self.assertEqual(self.run_command(*arguments), (0, b'OK\n', ''))

    def test_data_is_where_the_unit_may_write(self):
        state = re.search(r'^StateDirectory=(.*)$', read(UNIT), re.MULTILINE).group(1)
        self.assertIn(f'\ndata = "/var/lib/{state}"\n', read('chat.toml'))

    @unittest.skipUnless(shutil.which('systemd-analyze'), 'needs systemd-analyze (systemd)')
    def test_systemd_takes_it(self):
        directory = self.directory()
        path = os.path.join(directory, UNIT)
        with open(path, 'w', encoding='utf-8') as file:
            # Not installed here; everything else stays.
            file.write(read(UNIT).replace('/usr/local/bin/tern', os.path.abspath(
                harness.COMMAND[-1])))
        done = subprocess.run(['systemd-analyze', 'verify', '--man=no', path], check=False,
                              capture_output=True, text=True, timeout=harness.PATIENCE_S)
        complaints = [line for line in done.stderr.splitlines() if UNIT in line]
        self.assertEqual((done.returncode, complaints), (0, []), done.stderr)


if __name__ == '__main__':
    harness.main()
