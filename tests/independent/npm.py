"""Packages of npm for tests: installed once into the build directory, exactly as locked."""
import hashlib
import os
import shutil
import subprocess
import unittest

SOURCE = os.path.dirname(os.path.abspath(__file__))
FILES = ('package.json', 'package-lock.json')
INSTALL_S = 240


def modules(build):
    """The folder node_modules. Without npm, or without its registry, the test is skipped; with
    TERN_REQUIRE_NPM set it fails."""
    digest = hashlib.sha256()
    for name in FILES:
        with open(os.path.join(SOURCE, name), 'rb') as file:
            digest.update(file.read())
    folder = os.path.join(build, 'npm-' + digest.hexdigest()[:16])
    installed = os.path.join(folder, 'node_modules')
    if os.path.isdir(installed):
        return installed
    npm = shutil.which('npm')
    problem = 'npm is not installed; `tools/setup test` installs it'
    if npm:
        partial = f'{folder}.{os.getpid()}'
        os.makedirs(partial)
        for name in FILES:
            shutil.copy(os.path.join(SOURCE, name), partial)
        done = subprocess.run([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'],
                              cwd=partial, capture_output=True, text=True, timeout=INSTALL_S,
                              check=False)
        if done.returncode == 0:
            try:
                os.rename(partial, folder)
            except OSError:  # another test was faster
                shutil.rmtree(partial)
            return installed
        shutil.rmtree(partial)
        problem = f'npm ci failed: {done.stderr.strip()[-300:]}'
    if os.environ.get('TERN_REQUIRE_NPM'):
        raise AssertionError(problem)
    raise unittest.SkipTest(problem)
