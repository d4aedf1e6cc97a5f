"""tern compare: sets of results, a verdict, and what cannot be compared."""
import json
import os
import random
import sys

import harness

SEED = int(os.environ.get('TERN_SEED', '20261121'))
print(f'TERN_SEED={SEED}', file=sys.stderr)


class Compare(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.template = None

    def result(self, **changes):
        if not Compare.template:
            code, output, errors = self.run_command('load', self.serve().url, '-n', '100', '-c',
                                                    '2', '--json', '-')
            self.assertEqual(code, 0, errors)
            Compare.template = json.loads(output)
        result = json.loads(json.dumps(Compare.template))
        for name, value in changes.items():
            if name == 'p99':
                result['latency_us']['p99'] = value
            else:
                result[name] = value
        return result

    def folder(self, results):
        folder = self.directory()
        for number, result in enumerate(results):
            with open(os.path.join(folder, f'{number}.json'), 'w', encoding='utf-8') as file:
                json.dump(result, file)
        return folder

    def runs(self, source, factor, **changes):
        """Seven runs whose spread is 2 %."""
        results = []
        for _ in range(7):
            noise = source.lognormvariate(0, 0.02)
            results.append(self.result(messages_per_second=100_000 * factor * noise,
                                       p99=500 / factor / noise, **changes))
        return self.folder(results)

    def verdict(self, *arguments, code=0):
        actual, output, errors = self.run_command('compare', *arguments)
        self.assertEqual(actual, code, errors)
        return output.decode().splitlines()[-1]

    def refused(self, *arguments):
        code, output, errors = self.run_command('compare', *arguments)
        self.assertEqual((code, output), (64, b''), errors)
        self.assertRegex(errors, r'\Atern compare: [^\n]+\n\Z')
        return errors

    def test_verdicts(self):
        source = random.Random(SEED)
        before = self.runs(source, 1)
        self.assertRegex(self.verdict(before, before), 'not distinguishable')
        self.assertRegex(self.verdict(before, self.runs(source, 0.9), code=1),
                         r'^verdict: slower \(by messages/s\)')
        self.assertRegex(self.verdict(before, self.runs(source, 1.1)), '^verdict: faster')

    def test_an_open_loop_is_judged_by_its_latency(self):
        source = random.Random(SEED)
        changes = {'mode': 'open_loop', 'rate_asked': 1000, 'arrivals': 'constant'}
        before = self.runs(source, 1, **changes)
        self.assertRegex(self.verdict(before, self.runs(source, 0.8, **changes), code=1),
                         r'^verdict: slower \(by p99 us\)')

    def test_metrics_that_contradict_each_other(self):
        source = random.Random(SEED)
        before = self.runs(source, 1, server_cpu_us_per_message=5)
        after = self.runs(source, 1.2, server_cpu_us_per_message=6)
        self.assertRegex(self.verdict(before, after), 'not distinguishable .*contradict')

    def test_runs_that_took_turns(self):
        """What one set cannot tell from the other, for the machine's speed changed by half, the
        pairs can."""
        speeds = [1, 0.5, 0.7, 1.4, 0.9, 0.6, 1.2, 0.8]
        before, after = (self.folder([self.result(messages_per_second=rate * speed)
                                      for speed in speeds]) for rate in (100_000, 90_000))
        self.assertRegex(self.verdict(before, after), 'not distinguishable')
        self.assertRegex(self.verdict('--paired', before, after, code=1),
                         r'^verdict: slower \(by messages/s\)')
        self.assertRegex(self.verdict('--paired', before, before), 'not distinguishable')

    def test_what_cannot_be_paired(self):
        seven, eight = (self.folder([self.result()] * count) for count in (7, 8))
        self.assertIn('7 runs', self.refused('--paired', seven, eight))
        os.rename(os.path.join(seven, '3.json'), os.path.join(seven, 'x.json'))
        self.assertIn('where', self.refused('--paired', seven, self.folder([self.result()] * 7)))
        self.assertIn('--confidence 99 needs 8', self.refused('--paired', seven, seven))
        self.assertRegex(self.verdict('--paired', '--confidence', '95', seven, seven),
                         'not distinguishable')

    def test_a_file_with_several_results(self):
        path = os.path.join(self.directory(), 'all.json')
        with open(path, 'w', encoding='utf-8') as file:
            for _ in range(3):
                json.dump(self.result(), file, indent=2)
        self.assertRegex(self.verdict(path, path), 'not distinguishable')

    def test_other_machines_are_noted(self):
        other = self.result()
        other['environment']['cpu_model'] = 'Another'
        code, output, _ = self.run_command('compare', self.folder([self.result()] * 3),
                                           self.folder([other] * 3))
        self.assertEqual(code, 0)
        self.assertRegex(output.decode(), r"(?m)^note .*cpu_model.*'Another' after$")

    def test_what_cannot_be_compared(self):
        good = self.folder([self.result()] * 3)
        for changes, fragment in (({'connections': 3}, 'connections'),
                                  ({'message_bytes': 65}, 'message_bytes'),
                                  ({'errors': 1}, 'had errors'),
                                  ({'interrupted': True}, 'interrupted'),
                                  ({'messages': 0}, 'measured nothing'),
                                  ({'schema_version': 99}, 'schema version'),
                                  ({'mode': 'chat'}, 'of a chat'),
                                  ({'url': 'udp://127.0.0.1:1'}, 'over udp')):
            with self.subTest(changes=changes):
                bad = self.folder([self.result(**changes)] * 3)
                self.assertIn(fragment, self.refused(good, bad))
        self.assertIn('2 runs', self.refused(good, self.folder([self.result()] * 2)))
        self.assertIn('0 runs', self.refused(self.directory(), good))
        path = os.path.join(self.directory(), 'bad.json')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('{"schema_version": 1,\n oops')
        self.assertIn('line 2', self.refused(good, path))


if __name__ == '__main__':
    harness.main()
