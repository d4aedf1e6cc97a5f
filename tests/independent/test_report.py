"""tools/report: what it writes, and that a browser draws it without any network."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import npm

BUILD = os.environ['TERN_BUILD']
ROOT = os.path.dirname(os.path.dirname(npm.SOURCE))
SVG = '{http://www.w3.org/2000/svg}'
REPORT = os.path.join(ROOT, 'tools', 'report')


def load_result(connections, rate=None):
    levels = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99, 99.999,
              100)
    latency = {'p50': 50.0, 'p90': 90.0, 'p99': 99.0, 'p99_9': 200.0, 'max': 900.0}
    result = {'poller': 'epoll', 'url': 'tcp://127.0.0.1:1', 'connections': connections,
              'message_bytes': 64, 'depth': 1, 'messages_per_second': 1000.0 * connections,
              'server_cpu_us_per_message': 5.0, 'latency_us': latency,
              'latency_percentiles_us': {f'{level:g}': 10 + level for level in levels},
              'environment': {'cpu_model': '<b>Fast & Loose</b>', 'commit': 'abc'}}
    return result | ({'rate_asked': rate} if rate else {})


def table():
    run = {'cpu_us_per_message': 4.5, 'messages_per_second': 100000.0}
    return {'conditions': {'kernel': '6'}, 'results': {
        '64x50': {'runs': {'bare_epoll': [run] * 3, 'tern': [run] * 3}}}}


def whole():
    """What `bench/compare all` writes, in small."""
    def timed(*names):
        run = {'cpu_us_per_message': 4.5, 'messages_per_second': 100000.0}
        return {'comparisons': {}, 'runs': {name: [run] * 3 for name in names}}

    counts = {'instructions': {'64x50': {'bare_epoll': 46.4, 'tern-epoll': 156.0}},
              'syscalls': {'64x50': {'bare_epoll': {'sendto': 1, 'recvfrom': 1}}}}
    return {'conditions': {'kernel': '6'}, 'results': {
        'check': {'bare_epoll': {'server_growth_bytes': 0}},
        'echo': {'64x50': timed('bare_epoll', 'bare_epoll (control)', 'libevent_echo',
                                'tern-epoll')},
        'tls': {'64x50': timed('bare_tls', 'bare_tls (control)', 'libevent_tls', 'tern-epoll'),
                'handshake': timed('bare_tls', 'tern-epoll')},
        'fanout': {'1000x1': {'runs': {'bare_fanout': [{'cpu_us_per_message': 5.0}],
                                       'tern-epoll': [{'cpu_us_per_message': 5.0}]}}},
        'counts': counts, 'tls_counts': {}}}


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.uplot = os.path.join(npm.modules(BUILD), 'uplot')

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='tern-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def file(self, name, *values):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(map(json.dumps, values)))
        return path

    def report(self, *arguments, code=0):
        done = subprocess.run([sys.executable, REPORT, '--uplot', self.uplot, '--out',
                               os.path.join(self.folder, 'out'), *arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def drawn(self):
        self.report(self.file('</script><b>.json'.replace('/', '!'), load_result(1), load_result(9),
                              load_result(9, 500)), self.file('table.json', table()))
        folder = os.path.join(self.folder, 'out')
        with open(os.path.join(folder, 'index.html'), encoding='utf-8') as file:
            return folder, file.read()

    def test_page_and_pictures(self):
        folder, page = self.drawn()
        self.assertNotIn('<b>', page)
        self.assertIn('&lt;b&gt;Fast &amp; Loose', page)
        # Nothing is loaded from anywhere.
        self.assertNotRegex(page, r'<(?:script|link|img)[^>]*(?:src|href)=')
        self.assertNotRegex(page, r'@import|url\(')
        pictures = sorted(name for name in os.listdir(folder) if name.endswith('.svg'))
        self.assertEqual(pictures, ['cpu-of-the-server-64x50.svg',
                                    'cpu-of-the-server-by-connections.svg',
                                    'latency-by-percentile.svg', 'throughput-64x50.svg',
                                    'throughput-by-connections.svg'])
        for name in pictures:
            picture = self.picture(folder, name)
            circles = picture.findall(f'.//{SVG}circle')
            self.assertTrue(len(circles) >= 2 or len(self.bars(picture)) >= 2, name)
            for circle in circles:
                self.assertTrue(0 <= float(circle.get('cx')) <= 760, name)
                self.assertTrue(0 <= float(circle.get('cy')) <= 360, name)

    def picture(self, folder, name):
        return xml.etree.ElementTree.parse(os.path.join(folder, name)).getroot()

    def bars(self, picture):
        found = picture.findall(f'.//{SVG}rect')[1:]  # the first is the background
        for bar in found:
            self.assertLessEqual(float(bar.get('x')) + float(bar.get('width')), 760)
        return found

    def test_the_whole_comparison(self):
        self.report('--svg-only', self.file('all.json', whole()))
        folder = os.path.join(self.folder, 'out')
        self.assertEqual(sorted(os.listdir(folder)), [
            'cpu-of-the-server-1000x1.svg', 'cpu-of-the-server-64x50.svg',
            'cpu-of-the-server-handshake.svg', 'system-calls-a-message.svg',
            'throughput-64x50.svg', 'throughput-handshake.svg',
            'user-instructions-a-message.svg'])
        # Plain and TLS of a library side by side, and the control nowhere.
        picture = self.picture(folder, 'cpu-of-the-server-64x50.svg')
        texts = [text.text for text in picture.findall(f'.//{SVG}text')]
        for name in ('bare epoll', 'libevent', 'tern-epoll', 'plain', 'TLS'):
            self.assertEqual(texts.count(name), 1, texts)
        self.assertEqual(len(self.bars(picture)), 6)

    def test_bad_input(self):
        for content in ('', 'oops', '{}', '[1]', '{"a": 1} x'):
            path = os.path.join(self.folder, 'bad.json')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(content)
            with self.subTest(content=content):
                self.assertRegex(self.report(path, code=1),
                                 r'\Atools/report: [^\n]*bad.json[^\n]+\n\Z')
        self.assertRegex(self.report('/no/such/file', code=1),
                         r'\Atools/report: /no/such/file[^\n]+\n\Z')
        self.assertRegex(self.report(code=64), r'RESULT.json')

    def test_in_a_browser(self):
        browser = shutil.which('chromium') or shutil.which('chromium-browser')
        if not browser:
            raise unittest.SkipTest('chromium is not installed; apt-get install chromium')
        folder, _ = self.drawn()
        command = [browser, '--headless', '--no-sandbox', '--disable-gpu',
                   '--host-resolver-rules=MAP * ~NOTFOUND', '--window-size=900,2600',
                   f'--user-data-dir={self.folder}/profile', '--virtual-time-budget=5000']
        page = f'file://{folder}/index.html'
        done = subprocess.run([*command, '--dump-dom', page], capture_output=True, text=True,
                              timeout=120, check=True)
        self.assertRegex(done.stdout, r'<body data-drawn="5">')
        picture = os.path.join(self.folder, 'shot.png')
        subprocess.run([*command, f'--screenshot={picture}', page], capture_output=True,
                       timeout=120, check=True)
        # An empty page is a few kilobytes; five charts are many.
        self.assertGreater(os.path.getsize(picture), 40_000)


if __name__ == '__main__':
    unittest.main()
