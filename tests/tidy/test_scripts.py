"""The scripts around the build: how cases are counted, and what a wrong argument says."""
import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')


def run(script, *arguments):
    return subprocess.run([os.path.join(ROOT, script), *arguments], capture_output=True, text=True,
                          check=False, timeout=60, stdin=subprocess.DEVNULL)


def entry(result, stdout='', stderr=''):
    return {'name': 'test', 'result': result, 'stdout': stdout, 'stderr': stderr}


def doctest(passed, failed):
    cases = passed + failed
    return f'[doctest] test cases: {cases} | {passed} passed | {failed} failed | 0 skipped\n'


class Tally(unittest.TestCase):
    def tally(self, *entries, arguments=()):
        with tempfile.NamedTemporaryFile('w', suffix='.json') as log:
            log.writelines(json.dumps(item) + '\n' for item in entries)
            log.flush()
            answer = run('tools/tally', *arguments, log.name)
        return answer.stdout.strip(), answer.returncode

    def test_cases_are_added(self):
        self.assertEqual(
            self.tally(entry('OK', doctest(3, 0)),
                       entry('OK', stderr='Ran 4 tests in 0.1s\n\nOK (skipped=1)\n'),
                       entry('OK', 'tidy: 50 checks passed, 0 findings\n')),
            ('56 passed, 0 failed', 0))

    def test_colours_do_not_hide_the_counts(self):
        text = '[doctest] test cases: 2 | \x1b[0;32m2 passed\x1b[0m | \x1b[0m0 failed\x1b[0m |'
        self.assertEqual(self.tally(entry('OK', text)), ('2 passed, 0 failed', 0))

    def test_failures_are_added(self):
        self.assertEqual(
            self.tally(entry('FAIL', doctest(3, 2)),
                       entry('FAIL', stderr='Ran 9 tests in 1.0s\n\n'
                                            'FAILED (failures=1, errors=2)\n'),
                       entry('FAIL', 'tidy: 5 checks passed, 4 findings\n')),
            ('14 passed, 9 failed', 1))

    def test_a_crash_is_a_failure(self):
        self.assertEqual(self.tally(entry('OK', doctest(3, 0)), entry('FAIL')),
                         ('3 passed, 1 failed', 1))
        self.assertEqual(self.tally(entry('TIMEOUT', doctest(3, 0))), ('3 passed, 1 failed', 1))

    def test_an_uncounted_success_is_one(self):
        self.assertEqual(self.tally(entry('OK', 'no counts here')), ('1 passed, 0 failed', 0))

    def test_nothing_is_a_failure(self):
        self.assertEqual(self.tally(), ('0 passed, 0 failed', 1))
        self.assertEqual(self.tally(entry('SKIP')), ('0 passed, 0 failed', 1))

    def test_a_broken_lane_is_a_failure(self):
        self.assertEqual(self.tally(entry('OK'), arguments=('--broken', '1')),
                         ('1 passed, 1 failed', 1))


class Arguments(unittest.TestCase):
    def refuses(self, script, arguments, *words):
        answer = run(script, *arguments)
        self.assertEqual(answer.returncode, 64, answer)
        self.assertEqual(len(answer.stderr.splitlines()), 1, answer.stderr)
        for word in words:
            self.assertIn(word, answer.stderr)

    def test_unknown_backend(self):
        self.refuses('tools/test', ['--backend', 'nonesuch'], "'nonesuch'", 'epoll')
        self.refuses('tools/test', ['--backend=nonesuch'], "'nonesuch'", 'epoll')

    def test_missing_backend(self):
        self.refuses('tools/test', ['--backend'], 'epoll')

    def test_unknown_argument(self):
        self.refuses('tools/test', ['--frobnicate'], '--frobnicate', 'usage')

    def test_unknown_group(self):
        self.refuses('tools/setup', ['everything'], 'usage')

    def test_unknown_lane(self):
        self.refuses('.ci/run', ['everything'], "'everything'", 'release')


if __name__ == '__main__':
    unittest.main()
