"""tern load: counts what was answered, notices what was answered wrongly, and says so."""
import json
import os
import signal
import socket
import threading
import time
import unittest

import harness
import schema

SCHEMA = schema.load('load-result')
# Ascending levels, then the mean and the count.
LATENCIES = SCHEMA['$defs']['percentiles']['required']


class Load(harness.Case):
    def load(self, *arguments, code=0, **options):
        """The result as JSON, and what was printed for people."""
        path = os.path.join(self.directory(), 'result.json')
        actual, output, errors = self.run_command('load', '--json', path, *arguments, **options)
        self.assertEqual(actual, code, output.decode() + errors)
        with open(path, encoding='utf-8') as file:
            result = json.load(file)
        self.check_consistent(result)
        return result, output.decode(), errors

    def check_consistent(self, result):
        self.assertEqual(list(schema.problems(result, SCHEMA, SCHEMA)), [])
        curve = list(result['latency_percentiles_us'].values())
        self.assertEqual(curve, sorted(curve))
        latency = [result['latency_us'][name] for name in LATENCIES[:-2]]
        self.assertEqual(latency, sorted(latency))
        self.assertEqual(set(result['latency_us']), set(LATENCIES))
        self.assertEqual(set(result['connect_us']), set(LATENCIES))
        self.assertEqual(result['latency_us']['count'], result['messages'])
        self.assertEqual(sum(result['errors_by_class'].values()), result['errors'])
        if result['messages'] and result['duration_s']:
            rate = result['messages'] / result['duration_s']
            self.assertAlmostEqual(result['messages_per_second'] / rate, 1, places=6)
        for name, value in result['environment'].items():
            self.assertTrue(value, name)

    def errors_of(self, url, *arguments):
        """A run that must fail: its errors by class without those that did not happen."""
        result, _, errors = self.load(url, *arguments, code=1)
        self.assertRegex(errors, r'\Atern load: [^\n]+\n\Z')
        self.assertGreater(result['errors'], 0)
        return {name: count for name, count in result['errors_by_class'].items() if count}, errors


class AgainstEcho(Load):
    def test_by_count(self):
        server = self.serve()
        for arguments in (['-n', '1000', '-c', '10'], ['-n', '7', '-c', '3'],
                          ['-n', '1', '-c', '1', '-s', '1'],
                          ['-n', '200', '-c', '4', '-s', '64KiB', '-p', '4'],
                          ['-n', '3', '-c', '2', '-s', '3M'],
                          ['-n', '20000', '-c', '8', '-p', '16', '-t', '2', '-s', '3']):
            with self.subTest(arguments=arguments):
                result, output, errors = self.load(server.url, *arguments)
                self.assertEqual(result['messages'], int(arguments[1]))
                self.assertEqual(result['errors'], 0)
                self.assertEqual(result['connections'], int(arguments[3]))
                self.assertEqual(result['connections_opened'], result['connections'])
                self.assertEqual(result['connect_us']['count'], result['connections'])
                self.assertFalse(result['interrupted'])
                self.assertIn('errors      none', output)
                self.assertEqual(errors, '')

    def test_by_time(self):
        result, _, _ = self.load(self.serve().url, '-c', '5', '-d', '300ms', '--warmup', '100ms')
        self.assertGreater(result['messages'], 0)
        self.assertGreater(result['duration_s'], 0.29)
        self.assertEqual(result['warmup_s'], 0.1)

    def test_ramp_and_idle_connections(self):
        server = self.serve()
        result, _, _ = self.load(server.url, '-c', '20', '-n', '500', '--ramp', '200ms', '--idle',
                                 '50')
        self.assertEqual(result['messages'], 500)
        self.assertEqual(result['idle_connections'], 50)

    def test_churn(self):
        server = self.serve('--stats', '50ms')
        for arguments in (['-n', '1000', '-c', '10'], ['-n', '7', '-c', '3', '-t', '2'],
                          ['-n', '20', '-c', '2', '-s', '300k'], ['-n', '2', '-c', '3']):
            with self.subTest(arguments=arguments):
                result, output, errors = self.load(server.url, '--churn', *arguments)
                messages = int(arguments[1])
                self.assertEqual((result['messages'], result['errors']), (messages, 0))
                self.assertEqual(result['connections_opened'], messages)
                self.assertEqual(result['connect_us']['count'], messages)
                self.assertIs(result['churn'], True)
                self.assertIn('a new connection for each message', output)
                self.assertEqual(errors, '')
        result, _, _ = self.load(server.url, '--churn', '-c', '5', '-d', '300ms', '--warmup',
                                 '100ms')
        self.assertGreater(result['messages'], 0)
        # Those whose message was measured may have been opened in the warm-up.
        self.assertGreaterEqual(result['connections_opened'] + 5, result['messages'])

    @harness.needs_unix
    def test_unix(self):
        server = self.serve(listen=f'unix:{self.directory()}/socket')
        result, _, _ = self.load(server.url, '-n', '500', '-c', '5', '-s', '10k')
        self.assertEqual((result['messages'], result['errors']), (500, 0))

    @harness.needs_ipv6
    def test_ipv6(self):
        server = self.serve(listen='tcp://[::1]:0')
        result, _, _ = self.load(server.url, '-n', '500', '-c', '5')
        self.assertEqual((result['messages'], result['errors']), (500, 0))

    def test_udp(self):
        server = self.serve(listen='udp://127.0.0.1:0')
        result, output, _ = self.load(server.url, '-n', '500', '-c', '5', '-p', '2')
        self.assertEqual(result['errors'], 0)
        self.assertEqual(result['messages'] + result['lost'], result['sent'])
        self.assertGreater(result['messages'], 0)
        for name in ('late', 'reordered', 'duplicated', 'dropped_locally', 'bounced'):
            self.assertIn(name, result)
        self.assertIn('lost', output)

    @harness.needs_proc
    def test_context_switches(self):
        server = self.serve()
        result, output, _ = self.load(server.url, '-n', '2000', '-c', '1', '--server-pid',
                                      str(server.pid))
        self.assertGreater(result['server_context_switches_per_message'], 0)
        self.assertIn('context switches a message', output)

    @harness.needs_proc
    def test_server_pid(self):
        server = self.serve()
        result, output, _ = self.load(server.url, '-n', '5000', '-c', '5', '--server-pid',
                                      str(server.pid))
        self.assertGreater(result['server_cpu_us_per_message'], 0)
        self.assertGreater(result['server_resident_bytes'], 100_000)
        self.assertIn('of CPU a message', output)

    def test_json_on_standard_output(self):
        server = self.serve()
        code, output, errors = self.run_command('load', server.url, '-n', '10', '-c', '1',
                                                '--json', '-')
        self.assertEqual(code, 0, errors)
        self.assertEqual(json.loads(output)['messages'], 10)
        self.assertIn('errors      none', errors)
        self.assertEqual(output[-1:], b'\n')

    def test_quiet(self):
        server = self.serve()
        self.assertEqual(self.run_command('load', server.url, '-n', '10', '-c', '1', '--quiet'),
                         (0, b'', ''))

    def test_interrupt_shows_what_was_measured(self):
        server = self.serve('--stats', '50ms')
        path = os.path.join(self.directory(), 'result.json')
        process = self.process('load', server.url, '-c', '5', '-d', '1h', '--warmup', '0s',
                               '--json', path)
        harness.eventually(lambda: any(float(line['received_bytes']) > 0
                                       for line in server.statistics()), 'messages')
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.stdout.text(), r'(?m)^messages +[1-9]')
        self.assertIn('stopped', process.stdout.text())
        with open(path, encoding='utf-8') as file:
            result = json.load(file)
        self.assertTrue(result['interrupted'])
        self.assertGreater(result['messages'], 0)
        self.assertEqual(result['errors'], 0)

    def test_the_server_goes_away(self):
        server = self.serve('--stats', '50ms')
        process = self.process('load', server.url, '-c', '5', '-d', '1h', '--warmup', '0s')
        harness.eventually(lambda: any(float(line['received_bytes']) > 0
                                       for line in server.statistics()), 'messages')
        server.kill()
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.stdout.text(), r'(?m)^messages +[1-9]')
        self.assertRegex(process.stderr.text(), r'\Atern load: \d+ errors; the first [^\n]+\n\Z')


class OpenLoop(Load):
    def test_every_planned_message_is_sent(self):
        server = self.serve(listen=['tcp://127.0.0.1:0', 'udp://127.0.0.1:0'])
        for arguments in (['-n', '300'], ['-n', '300', '--arrivals', 'poisson', '--seed', '7'],
                          ['-n', '300', '-t', '3'], ['-n', '301', '-s', '100k'],
                          ['-n', '300', '--churn'], ['-n', '303', '--churn', '-t', '2'],
                          ['-n', '300', '--idle', '3']):
            with self.subTest(arguments=arguments):
                result, output, errors = self.load(server.url, '-r', '3k', '-c', '10', *arguments)
                self.assertEqual((result['messages'], result['errors']), (int(arguments[1]), 0))
                self.assertEqual(result['mode'], 'open_loop')
                self.assertEqual((result['rate_asked'], result['unanswered']), (3000, 0))
                self.assertEqual(result['lateness_us']['count'], result['messages'])
                self.assertRegex(output, r'open loop: from the planned time')
                self.assertRegex(output, r'3,000/s asked, [\d,.]+/s achieved')
                self.assertEqual('poisson, seed 7' in output, '--seed' in arguments)
                self.assertEqual(errors, '')
        result, _, _ = self.load(server.urls[1], '-r', '3k', '-c', '10', '-n', '300')
        self.assertEqual(result['messages'] + result['lost'], 300)

    def test_the_rate_is_kept(self):
        """As many are sent as the plan says for the time that it took, however long that was."""
        result, _, _ = self.load(self.serve().url, '-r', '2k', '-c', '4', '-d', '500ms',
                                 '--warmup', '100ms')
        self.assertAlmostEqual(result['messages'] / 1000, 1, delta=0.2)
        self.assertGreaterEqual(result['duration_s'], 0.49)

    @harness.needs_proc
    def test_a_pause_of_the_server_shows(self):
        server = self.serve('--stats', '50ms')
        path = os.path.join(self.directory(), 'result.json')
        process = self.process('load', server.url, '-r', '1k', '-c', '5', '-d', '4s', '--warmup',
                               '0s', '--json', path)
        harness.eventually(lambda: any(float(line['received_bytes']) > 0
                                       for line in server.statistics()), 'messages')
        server.signal(signal.SIGSTOP)
        time.sleep(2)  # the pause that is to be found again
        server.signal(signal.SIGCONT)
        self.assertEqual(process.wait(), 0)
        with open(path, encoding='utf-8') as file:
            result = json.load(file)
        self.check_consistent(result)
        self.assertEqual((result['errors'], result['unanswered']), (0, 0))
        self.assertGreaterEqual(result['latency_us']['max'], 1_990_000)
        # Half of the messages were due in the pause: their mean wait is one second.
        self.assertGreaterEqual(result['latency_us']['p90'], 1_000_000)

    def test_what_is_owed_at_the_end_is_said(self):
        def serve(connection):
            while connection.recv(65536):
                pass
        for more in ([], ['--churn']):
            with self.subTest(more=more):
                result, output, _ = self.load(self.peer(serve).url, '-r', '100', '-n', '20', '-c',
                                              '2', '--timeout', '500ms', *more, code=1)
                self.assertEqual((result['messages'], result['unanswered']), (0, 20))
                self.assertIn('20 messages planned; their latency is missing', output)

    def test_interrupt(self):
        server = self.serve('--stats', '50ms')
        process = self.process('load', server.url, '-r', '500', '-c', '5', '-d', '1h', '--warmup',
                               '0s')
        harness.eventually(lambda: any(float(line['received_bytes']) > 0
                                       for line in server.statistics()), 'messages')
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.stdout.text(), r'(?m)^messages +[1-9]')

    def test_the_server_dies(self):
        server = self.serve('--stats', '50ms')
        for more in ([], ['--churn']):
            with self.subTest(more=more):
                server = self.serve('--stats', '50ms')
                process = self.process('load', server.url, '-r', '500', '-c', '5', '-d', '1h',
                                       '--warmup', '0s', *more)
                harness.eventually(lambda: any(float(line['received_bytes']) > 0
                                               for line in server.statistics()), 'messages')
                server.kill()
                self.assertEqual(process.wait(), 1)
                self.assertRegex(process.stderr.text(), r'\Atern load: \d+ errors; [^\n]+\n\Z')


class Gates(Load):
    def test_fail_if(self):
        server = self.serve()
        common = [server.url, '-n', '100', '-c', '2']
        for condition in ('p50>1h', 'p99 > 1h', 'max<1ns', 'mean>1h', 'rate<1', 'errors>0'):
            self.load(*common, '--fail-if', condition)
        for condition, finding in (('p99.9>1ns', r'p99\.9 is \d\S*s'), ('rate>0', r'rate is \d+'),
                                   ('errors<1', 'errors is 0')):
            with self.subTest(condition=condition):
                _, output, errors = self.load(*common, '--fail-if', 'p50>1h', '--fail-if',
                                              condition, code=1)
                self.assertRegex(errors, rf'\Atern load: --fail-if {condition}: {finding}\n\Z')
                self.assertIn('errors      none', output)

    def test_find_max(self):
        """A server that is slower than any limit, and a limit that names the rate itself."""
        server = self.serve()
        common = [server.url, '-c', '2', '-d', '500ms', '--warmup', '10ms', '-r', '100']
        result, output, errors = self.load(*common, '--find-max', 'rate<1k')
        self.assertLess(result['messages_per_second'], 1000)
        self.assertRegex(output, r'find-max    rate<1k holds up to [\d,]+/s\n\Z')
        # A busy machine may fail a rate that a quiet one holds.
        self.assertRegex(errors, rf"find-max    {result['rate_asked']:,}/s: .* holds\n")
        self.assertRegex(errors, 'does not hold')
        _, _, errors = self.load(*common, '--find-max', 'p50<1ns', code=1)
        self.assertRegex(errors, r'tern load: --find-max p50<1ns: it held at no rate\n\Z')
        code, _, errors = self.run_command('load', self.dead_url(), '--find-max', 'p99<1ms')
        self.assertEqual(code, 69)
        self.assertRegex(errors, r'\Atern load: nobody answers[^\n]*\n\Z')

    def search(self, duration):
        """A search that goes on, for it has a condition that always holds."""
        server = self.serve('--stats', '50ms')
        process = self.process('load', server.url, '-c', '2', '-d', duration, '--warmup', '0s',
                               '-r', '100', '--find-max', 'p99<10s')
        return server, process

    def test_find_max_and_the_server_dies(self):
        server, process = self.search('300ms')
        process.wait_line(r'^find-max .*: holds', process.stderr)
        server.kill()
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.stderr.text(), r'(?m)^tern load: --find-max p99<10s: it held up '
                         r'to [\d,]+/s, then nobody answered: [^\n]+\n\Z')

    def test_find_max_is_interrupted(self):
        _, process = self.search('300ms')
        process.wait_line(r'^find-max .*: holds', process.stderr)
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.stdout.text(),
                         r'\nfind-max    stopped; p99<10s holds up to [\d,]+/s\n\Z')

    def test_find_max_is_interrupted_in_its_first_rate(self):
        server, process = self.search('1h')
        harness.eventually(lambda: any(float(line['received_bytes']) > 0
                                       for line in server.statistics()), 'messages')
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.stdout.text(), r'(?m)^messages +[1-9]')
        self.assertRegex(process.stdout.text(),
                         r'\nfind-max    stopped before p99<10s had held at any rate\n\Z')
        self.assertEqual(process.stderr.text(), '')

    @unittest.skipUnless(os.path.exists('/dev/full'), 'no /dev/full here')
    def test_a_disk_that_is_full_costs_the_file_alone(self):
        code, output, errors = self.run_command('load', self.serve().url, '-n', '10', '-c', '1',
                                                '--json', '/dev/full')
        self.assertNotEqual(code, 0)
        self.assertRegex(output.decode(), r'(?m)^messages +10 ')
        self.assertRegex(errors, r'\Atern load: [^\n]*/dev/full[^\n]*\n\Z')

    def test_percentile_text(self):
        server = self.serve()
        path = os.path.join(self.directory(), 'percentiles')
        self.load(server.url, '-n', '100', '-c', '2', '--hdr', path)
        with open(path, encoding='ascii') as file:
            text = file.read()
        self.assertRegex(text, r'\A       Value     Percentile TotalCount 1/\(1-Percentile\)\n\n')
        self.assertRegex(text, r'1\.000000000000        100\n#\[Mean')

    def test_churn_counts_no_warm_up(self):
        """Connections of the warm-up were counted with those that were measured."""
        # More than a second's worth of connections would take Wine longer than they may take.
        rate = '200' if harness.WINE else '1k'
        result, _, _ = self.load(self.serve().url, '--churn', '-r', rate, '-c', '20', '-d', '200ms',
                                 '--warmup', '1s')
        self.assertLess(result['connections_opened'], result['messages'] + 100)
        self.assertLess(result['connect_us']['count'], result['messages'] + 100)


def reset_in_a_message(connection):
    """A reset before the first byte may already be the connect's failure."""
    connection.recv(1)
    harness.reset(connection)


class AgainstOthers(Load):
    """Servers that are wrong."""

    def echo_with(self, change):
        """An echo whose portions are first changed by change(data, bytes before)."""
        def serve(connection):
            before = 0
            while data := connection.recv(65536):
                connection.sendall(change(bytearray(data), before))
                before += len(data)
        return self.peer(serve).url

    def test_one_wrong_byte(self):
        def change(data, before):
            if before <= 777 < before + len(data):
                data[777 - before] ^= 1
            return data
        found, message = self.errors_of(self.echo_with(change), '-n', '100', '-c', '1')
        self.assertEqual(found, {'wrong_bytes': 1})
        self.assertIn('777', message)

    def test_swapped_halves(self):
        def change(data, _):
            middle = len(data) // 2
            return data[middle:] + data[:middle]
        found, _ = self.errors_of(self.echo_with(change), '-n', '100', '-c', '1')
        self.assertEqual(found, {'wrong_bytes': 1})

    def test_a_byte_too_many(self):
        def change(data, before):
            return data + b'!' if before == 0 else data
        found, _ = self.errors_of(self.echo_with(change), '-n', '100', '-c', '1')
        self.assertEqual(len(found), 1)
        self.assertIn(*found, ('surplus_bytes', 'wrong_bytes'))

    def test_the_end_too_early(self):
        def serve(connection):
            connection.sendall(connection.recv(65536))
        found, _ = self.errors_of(self.peer(serve).url, '-n', '100', '-c', '2')
        # The close of a socket with unread bytes is a reset.
        self.assertEqual(sum(found.values()), 2)
        self.assertLessEqual(set(found), {'ended_by_server', 'reset_by_server'})

    def test_the_end_at_once(self):
        found, _ = self.errors_of(self.peer(lambda connection: None).url, '-n', '100', '-c', '2')
        self.assertLessEqual(set(found), {'ended_by_server', 'reset_by_server'})

    def test_reset(self):
        found, _ = self.errors_of(self.peer(reset_in_a_message).url, '-n', '100', '-c', '2')
        self.assertEqual(found, {'reset_by_server': 2})

    def test_silence(self):
        def serve(connection):
            while connection.recv(65536):
                pass
        found, message = self.errors_of(self.peer(serve).url, '-n', '100', '-c', '2',
                                        '--timeout', '1s')
        self.assertEqual(found, {'answer_timed_out': 2})
        self.assertIn('1s', message)

    def test_churn_that_goes_wrong(self):
        def silent(connection):
            while connection.recv(65536):
                pass

        def wrong(connection):
            connection.sendall(bytes(len(connection.recv(65536))))

        def surplus(connection):
            connection.sendall(connection.recv(65536) + b'x')

        def never_ends(connection):
            connection.sendall(connection.recv(65536))
            threading.Event().wait(10)
        for serve, error in ((silent, 'answer_timed_out'), (wrong, 'wrong_bytes'),
                             (surplus, 'surplus_bytes'),
                             (reset_in_a_message, 'reset_by_server'),
                             (lambda connection: None, 'ended_by_server'),
                             (never_ends, 'answer_timed_out')):
            with self.subTest(serve=serve.__name__):
                found, _ = self.errors_of(self.peer(serve).url, '--churn', '-n', '100', '-c', '2',
                                          '--timeout', '300ms')
                self.assertLessEqual(set(found), {error, 'reset_by_server'})
                self.assertEqual(sum(found.values()), 2)

    def test_half_an_answer(self):
        def change(data, before):
            return data[:-1] if before else data
        found, _ = self.errors_of(self.echo_with(change), '-n', '100', '-c', '1', '-s', '64',
                                  '--timeout', '500ms')
        self.assertEqual(found, {'answer_timed_out': 1})

    def test_one_bad_connection_among_good_ones(self):
        first = threading.Lock()

        def serve(connection):
            is_bad = first.acquire(blocking=False)
            while data := connection.recv(65536):
                connection.sendall(bytes(len(data)) if is_bad else data)
        result, output, _ = self.load(self.peer(serve).url, '-n', '400', '-c', '4', code=1)
        self.assertEqual(result['errors_by_class']['wrong_bytes'], 1)
        self.assertEqual(result['errors'], 1)
        self.assertGreaterEqual(result['messages'], 300)
        self.assertRegex(output, r'(?m)^errors +1 wrong_bytes')

    def test_lost_datagrams_are_counted(self):
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(('127.0.0.1', 0))
            peer.settimeout(harness.PATIENCE_S)
            thread = threading.Thread(target=self.answer_every_other, args=[peer], daemon=True)
            thread.start()
            url = f'udp://127.0.0.1:{peer.getsockname()[1]}'
            result, output, _ = self.load(url, '-n', '20', '-c', '1', '--udp-timeout', '50ms')
            peer.sendto(b'', peer.getsockname())  # the end
            thread.join(harness.PATIENCE_S)
        self.assertEqual(result['errors'], 0)
        self.assertEqual(result['sent'], result['messages'] + result['lost'])
        self.assertGreater(result['lost'], 0)
        self.assertGreater(result['messages'], 0)
        self.assertRegex(output, r'\d+ lost')

    def answer_every_other(self, peer):
        count = 0
        while True:
            data, sender = peer.recvfrom(65536)
            if not data:
                return
            count += 1
            if count % 2:
                peer.sendto(data, sender)


if __name__ == '__main__':
    harness.main()
