"""The library as others use it: installed, then found by pkg-config, by CMake, and as a subproject.

Meson gives TERN_BUILD (the build directory), TERN_SOURCE (the source tree), TERN_UNINSTALLED (the
archives that stay at home) and CXX.
"""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ['TERN_BUILD']
SOURCE = os.environ['TERN_SOURCE']
UNINSTALLED = os.environ['TERN_UNINSTALLED'].split(os.pathsep)
CXX = os.environ.get('CXX', 'c++')
# What is none of the library's business: the chat with its passwords, echo, HTTP and the other
# helpers, the command.
FOREIGN = re.compile(r'tern::(?:chat|support|tool)::|password_hash|is_password_of')
# Options of the surrounding test run must not reach the builds inside it.
CLEAN = {name: value for name, value in os.environ.items()
         if name not in ('CXXFLAGS', 'LDFLAGS', 'DESTDIR', 'MAKEFLAGS')}


def run(*command, **variables):
    """The standard output of a command that must succeed."""
    answer = subprocess.run(command, env={**CLEAN, **variables}, capture_output=True, text=True,
                            check=False, timeout=800)
    if answer.returncode != 0:
        raise AssertionError(f'{shlex.join(command)} gave {answer.returncode}:\n'
                             f'{answer.stdout}{answer.stderr}')
    return answer.stdout


def find(root, name):
    """The folder below `root` that holds `name`."""
    for folder, _, files in os.walk(root):
        if name in files:
            return folder
    raise AssertionError(f'{name} was not installed')


def symbols(library, kinds=None):
    """The names of ours in a library, plain; of certain kinds, as nm calls them, or of all."""
    found = set()
    for line in run('nm', '-C', library).splitlines():
        match = re.fullmatch(r'[0-9a-f ]*([A-Za-z]) (.*tern::.*)', line)
        if match and (kinds is None or match.group(1) in kinds):
            found.add(match.group(2))
    return found


class Installed(unittest.TestCase):
    """A staged installation, moved away from the prefix it was configured with."""

    @classmethod
    def setUpClass(cls):
        cls.stage = tempfile.mkdtemp(prefix='tern-install-')
        cls.addClassCleanup(shutil.rmtree, cls.stage)
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', cls.stage)
        cls.package = find(cls.stage, 'tern.pc')
        cls.libraries = os.path.dirname(cls.package)
        cls.headers = find(cls.stage, 'tern.hpp')
        cls.prefix = os.path.dirname(os.path.dirname(cls.headers))
        cls.work = tempfile.mkdtemp(prefix='tern-consumer-')
        cls.addClassCleanup(shutil.rmtree, cls.work)

    def pkg_config(self, *arguments):
        return shlex.split(run('pkg-config', f'--define-variable=prefix={self.prefix}', *arguments,
                               'tern', PKG_CONFIG_PATH=self.package))

    def compile_consumer(self, name, *arguments, compiler=CXX, source=None):
        program = os.path.join(self.work, name)
        run(compiler, '-std=c++20', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-o', program,
            source or os.path.join(HERE, 'consumer.cpp'), *arguments)
        return program

    def test_pkg_config_shared(self):
        program = self.compile_consumer('shared', *self.pkg_config('--cflags', '--libs'))
        run(program, LD_LIBRARY_PATH=self.libraries)

    def static_flags(self):
        archive = os.path.join(self.libraries, 'libtern.a')
        flags = self.pkg_config('--cflags', '--libs', '--static')
        return [archive if flag == '-ltern' else flag for flag in flags]

    def test_pkg_config_static(self):
        run(self.compile_consumer('static', *self.static_flags()))

    @unittest.skipUnless(shutil.which('clang++'), 'needs clang')
    def test_static_for_another_compiler(self):
        run(self.compile_consumer('other', *self.static_flags(), '-DTERN_STATIC',
                                  compiler='clang++'))

    @unittest.skipUnless(shutil.which('cmake'), 'needs CMake')
    def test_cmake(self):
        for name in ('CMakeLists.txt', 'consumer.cpp'):
            shutil.copy(os.path.join(HERE, name), self.work)
        build = os.path.join(self.work, 'cmake')
        package = os.path.join(self.libraries, 'cmake', 'tern')
        run('cmake', '-G', 'Ninja', '-S', self.work, '-B', build, f'-Dtern_DIR={package}',
            f'-DCMAKE_CXX_COMPILER={CXX}')
        run('cmake', '--build', build)
        run(os.path.join(build, 'consumer_tern'))
        run(os.path.join(build, 'consumer_static'))

    def test_the_examples_of_the_readme(self):
        with open(os.path.join(SOURCE, 'README.md'), encoding='utf-8') as readme:
            examples = re.findall(r'^```cpp\n(.*?)^```', readme.read(), re.MULTILINE | re.DOTALL)
        self.assertTrue(examples)
        for number, example in enumerate(examples):
            source = os.path.join(self.work, f'readme_{number}.cpp')
            with open(source, 'w', encoding='utf-8') as file:
                file.write(example)
            # Options by name leave the rest at their defaults, which is what they are for.
            self.compile_consumer(f'readme_{number}', '-Wno-missing-field-initializers',
                                  *self.pkg_config('--cflags', '--libs'), source=source)

    def test_each_header_stands_alone(self):
        for name in sorted(os.listdir(self.headers)):
            with self.subTest(name):
                run(CXX, '-std=c++20', '-Wall', '-Wextra', '-Wpedantic', '-Werror',
                    '-fsyntax-only', f'-I{os.path.dirname(self.headers)}', '-include',
                    f'tern/{name}', '-x', 'c++', os.devnull)

    def test_only_tern_is_exported(self):
        listing = run('nm', '-D', '-C', '--defined-only',
                      os.path.join(self.libraries, 'libtern.so'))
        ours = [line for line in listing.splitlines() if 'tern::' in line]
        # Of the standard library, instances of templates and type information may be seen.
        foreign = [line for line in listing.splitlines()
                   if not re.search(r'tern::|std::|__gnu_cxx::', line)]
        self.assertTrue(ours)
        self.assertEqual(foreign, [])

    def test_the_library_holds_nothing_else(self):
        # A name that they have in common would be a template or an inline function; those are weak.
        foreign = set().union(*(symbols(archive, 'TDBR') for archive in UNINSTALLED))
        for part in ('tern::chat::', 'tern::support::'):
            self.assertTrue(any(part in name for name in foreign), part)
        for name in ('libtern.a', 'libtern.so'):
            with self.subTest(name):
                # Also what is only asked for.
                found = symbols(os.path.join(self.libraries, name))
                self.assertTrue(found)
                self.assertEqual(sorted(found & foreign), [])
                self.assertEqual([each for each in found if FOREIGN.search(each)], [])

    def test_the_command_is_installed(self):
        if not os.path.exists(os.path.join(BUILD, 'tern')):
            self.skipTest('the build has no command')
        self.assertTrue(os.access(os.path.join(find(self.stage, 'tern'), 'tern'), os.X_OK))


class Subproject(unittest.TestCase):
    def test_subproject(self):
        with tempfile.TemporaryDirectory(prefix='tern-subproject-') as work:
            os.mkdir(os.path.join(work, 'subprojects'))
            os.symlink(SOURCE, os.path.join(work, 'subprojects', 'tern'))
            shutil.copy(os.path.join(HERE, 'consumer.cpp'), work)
            shutil.copy(os.path.join(HERE, 'consumer.meson.build'),
                        os.path.join(work, 'meson.build'))
            build = os.path.join(work, 'build')
            # In a few pieces, which is quicker.
            run('meson', 'setup', '--unity=on', build, work, CXX=CXX)
            run('ninja', '-C', build)
            # One test, the consumer's: a subproject brings no tests, tools or benches of its own.
            answer = run('meson', 'test', '-C', build, '--no-rebuild')
            self.assertRegex(answer, r'Ok:\s+1\b')
            self.assertFalse(os.path.exists(os.path.join(build, 'subprojects', 'tern', 'tern')))


if __name__ == '__main__':
    unittest.main()
