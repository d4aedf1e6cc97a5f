"""bench/compare from end to end: that the whole comparison works, and what becomes of its result.
No figure is judged here: they are those of a busy machine."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ['TERN_BUILD']
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECTIONS = {'check', 'check_fanout', 'check_tls', 'echo', 'fanout', 'counts', 'memory', 'tls',
            'tls_counts'}
HEADINGS = ('CPU of the server, a message', 'Messages a second', 'Where we lose',
            'What this machine cannot show')


class Compare(unittest.TestCase):
    whole = None

    @classmethod
    def setUpClass(cls):
        # A copy, so that what is published does not become part of the source tree.
        cls.folder = tempfile.mkdtemp(prefix='tern-')
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        os.makedirs(os.path.join(cls.folder, 'tools'))
        os.makedirs(os.path.join(cls.folder, 'docs'))
        shutil.copytree(os.path.join(ROOT, 'bench'), os.path.join(cls.folder, 'bench'))
        for name in ('tools/report', 'docs/benchmarks.md', 'README.md'):
            shutil.copy(os.path.join(ROOT, name), os.path.join(cls.folder, name))
        cls.result = os.path.join(cls.folder, 'all.json')

    def compare(self, *arguments, code=0):
        done = subprocess.run(
            [sys.executable, os.path.join(self.folder, 'bench', 'compare'), *arguments],
            capture_output=True, text=True, timeout=500, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding='utf-8') as file:
            return file.read()

    def measured(self):
        if Compare.whole is None:
            done = self.compare('all', '--quick', '--build', BUILD, '--json', self.result)
            Compare.whole = json.loads(self.read('all.json')), done.stdout
        return Compare.whole

    def test_all(self):
        whole, output = self.measured()
        self.assertEqual(set(whole['results']), SECTIONS)
        built = {name for name in os.listdir(os.path.join(BUILD, 'bench', 'peers'))
                 if name.endswith('_echo') or name in ('bare_epoll', 'bare_io_uring')}
        for section in ('check', 'memory'):
            servers = set(whole['results'][section])
            self.assertLessEqual(built, servers)
            self.assertTrue(any(name.startswith('tern-') for name in servers))
        echo = whole['results']['echo']['64x50']
        self.assertLessEqual(built, set(echo['runs']))
        for name, runs in echo['runs'].items():
            self.assertGreater(runs[0]['messages_per_second'], 0, name)
        relaying = {name for name in os.listdir(os.path.join(BUILD, 'bench', 'peers'))
                    if name.endswith(('_fanout', '_chat'))}
        self.assertLessEqual(relaying, set(whole['results']['check_fanout']))
        for workload in whole['results']['fanout'].values():
            self.assertLessEqual(relaying, set(workload['runs']))
        secure = {name for name in os.listdir(os.path.join(BUILD, 'bench', 'peers'))
                  if name.endswith('_tls')}
        for servers in (whole['results']['check_tls'], whole['results']['tls']['64x50']['runs']):
            self.assertLessEqual(secure, set(servers))
        # Lockstep: a receive and a send, to which the one wait adds a part.
        calls = whole['results']['counts']['syscalls']['64x50']['bare_epoll']
        self.assertAlmostEqual(calls['sendto'], 1, delta=0.05)
        self.assertGreater(whole['results']['counts']['instructions']['64x50']['bare_epoll'], 10)
        for heading in HEADINGS:
            self.assertIn(f'### {heading}\n', output)

    def test_publish(self):
        self.measured()
        before = self.read('docs/benchmarks.md')
        self.compare('publish', self.result)
        after = self.read('docs/benchmarks.md')
        for heading in HEADINGS:
            self.assertEqual(after.count(f'### {heading}\n'), 1)
        mark = re.compile(r'<!-- begin: bench/compare publish -->\n.*?<!-- end -->', re.DOTALL)
        self.assertEqual(mark.sub('', before), mark.sub('', after))
        chart = re.search(r'!\[[^]]*\]\((docs/charts/[^)]+)\)', mark.search(
            self.read('README.md')).group()).group(1)
        self.assertIn('</svg>', self.read(chart))
        # Once more changes nothing.
        self.compare('publish', self.result)
        self.assertEqual(self.read('docs/benchmarks.md'), after)

    def micro(self, baseline, *options, code=0):
        return self.compare('micro', '--build', BUILD, '--baseline', baseline, '--rounds', '1',
                            *options, code=code).stdout

    def test_micro(self):
        """A build against itself, and against a baseline that was a tenth quicker."""
        path = os.path.join(self.folder, 'baseline.json')
        self.assertIn('nothing got slower', self.micro(path, '--only', 'output_queue', '--write'))
        self.assertIn('nothing got slower', self.micro(path, '--only', 'output_queue'))
        baseline = json.loads(self.read('baseline.json'))
        quicker = next(iter(baseline['results']))
        self.assertRegex(quicker, r'\Aoutput_queue/[a-z0-9_]+/[a-z_]+\Z')
        baseline['results'][quicker] = [count / 1.1 for count in baseline['results'][quicker]]
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(baseline, file)
        self.assertTrue(self.micro(path, '--only', 'output_queue', code=1).endswith(
            f'\nslower: {quicker}\n'))

    @unittest.skipUnless(shutil.which('redis-benchmark'), 'apt-get install redis-tools')
    def test_trust(self):
        done = subprocess.run(
            [sys.executable, os.path.join(self.folder, 'bench', 'compare'), 'trust', '--build',
             BUILD, '--rounds', '8', '--duration', '0.2', '--warmup', '0.05', '--json',
             self.result + '.trust'], capture_output=True, text=True, timeout=300, check=False)
        # Whether it holds is the machine's to say, but it must have come to its end.
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertRegex(done.stdout, r'\n(?:all of it holds|not shown: [a-z, ]+)\n\Z', done.stderr)
        results = json.loads(self.read('all.json.trust'))['results']
        self.assertEqual(len(results['agreement']['rates']['redis-benchmark']), 8)
        for poller, runs in results['drive']['64x50']['runs'].items():
            self.assertIn(poller, ('epoll', 'kqueue', 'io_uring'))
            self.assertEqual(len(runs), 8)
            self.assertGreater(min(run['server_busy'] for run in runs), 0)
        self.assertLessEqual(set(results['resolution']['verdicts'].values()),
                             {'slower', 'faster', 'not distinguishable'})

    def test_bad_input(self):
        for arguments, code, words in (
                (('all', '--quick', '--publish'), 64, 'contradict'),
                (('publish', '/no/such/file'), 1, '/no/such/file'),
                (('publish', os.path.join(self.folder, 'README.md')), 1, 'README.md'),
                (('all', '--build', '/no/such/build'), 1, 'not built'),
                (('micro', '--baseline', '/no/such/file'), 1, '/no/such/file'),
                (('micro', '--build', BUILD, '--only', 'nothing/like/it'), 64, 'no benchmark'),
                (('trust', '--rounds', '7'), 64, '8 or more'),
                (('fanout', '--rounds', '0'), 64, 'above zero')):
            with self.subTest(arguments=arguments):
                errors = self.compare(*arguments, code=code).stderr.strip().splitlines()
                self.assertRegex(errors[-1], rf'\Abench/compare\S*:? .*{words}')


if __name__ == '__main__':
    unittest.main()
