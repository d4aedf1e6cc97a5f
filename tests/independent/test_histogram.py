"""tern's histogram against npm's hdr-histogram-js: the same values, the same percentiles."""
import os
import random
import subprocess
import sys
import unittest

import npm

BUILD = os.environ['TERN_BUILD']
DUMP = os.environ['TERN_HISTOGRAM_DUMP']
SOURCE = os.path.dirname(os.path.abspath(__file__))


def run(command, numbers, **environment):
    text = '\n'.join(map(str, numbers))
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60,
                          check=True, env={**os.environ, **environment}).stdout.splitlines()


class Histogram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.modules = npm.modules(BUILD)

    def compare(self, numbers):
        ours = run([DUMP], numbers)
        theirs = run(['node', os.path.join(SOURCE, 'histogram_dump.js')], numbers,
                     NODE_PATH=self.modules)
        rows = [line for line in ours if line and not line.startswith('#')]
        self.assertGreater(len(rows), 1)
        self.assertEqual(rows, [line for line in theirs if line and not line.startswith('#')])
        # Max, count and sizes are exact; our mean is, theirs is made of the middles of slots.
        self.assertEqual(ours[-2:], [line for line in theirs if line][-2:])
        for mine, other in zip(ours[-3].split(), [line for line in theirs if line][-3].split()):
            if mine[0].isdigit():
                mine, other = (float(number.rstrip(',]')) for number in (mine, other))
                self.assertAlmostEqual(mine, other, delta=max(1, other) / 1000)

    def test_seeded(self):
        seed = int(os.environ.get('TERN_SEED', '20261121'))
        print(f'TERN_SEED={seed}', file=sys.stderr)
        source = random.Random(seed)
        shapes = {
            'uniform': lambda: source.randrange(1_000_000),
            'magnitudes': lambda: source.getrandbits(1 + source.randrange(37)),
            'latencies': lambda: int(source.lognormvariate(11, 1.5)),
            'edges': lambda: source.choice([0, 1, 2047, 2048, 2049, 4095, 4096, 2**37 - 1]),
        }
        for name, draw in shapes.items():
            for count in (1, 2, 3, 100, 20_000):
                with self.subTest(shape=name, count=count):
                    self.compare([draw() for _ in range(count)])


if __name__ == '__main__':
    unittest.main()
