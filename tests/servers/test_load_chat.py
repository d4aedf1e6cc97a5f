"""tern load chat://...: what it measures is verified, and what goes wrong is said."""
import json

import harness
import schema


class ChatLoad(harness.Case):
    def chat(self, *arguments):
        server = self.serve('--workers', '2', *arguments, command='chat')
        return server, server.url.replace('tcp://', 'chat://')

    def load(self, url, *arguments):
        return self.run_command('load', url, '-c', '20', '--rooms', '2', '-d', '300ms', '-r', '200',
                                *arguments)

    def test_every_line_is_verified(self):
        _, url = self.chat('--flood', 'off')
        code, output, _ = self.load(url, '--json', '-')
        result = json.loads(output)
        self.assertEqual((code, result['problem'], result['verified']), (0, '', True))
        self.assertGreater(result['lines'], 0)
        rules = schema.load('load-chat-result')
        self.assertEqual(list(schema.problems(result, rules, rules)), [])
        # Rooms of ten: nobody hears itself.
        self.assertEqual(result['deliveries'], result['lines'] * 9)
        self.assertLessEqual(result['latency_us']['p50'], result['latency_us']['max'])
        self.assertEqual(result['latency_us']['count'], result['deliveries'])
        self.assertEqual(result['lateness_us']['count'], result['lines'])

    def test_the_summary(self):
        _, url = self.chat('--flood', 'off')
        code, output, errors = self.load(url)
        self.assertEqual(code, 0, errors)
        self.assertIn('20 in 2 rooms', output.decode())
        self.assertIn('every line verified', output.decode())

    @harness.needs_proc
    def test_processor_time_of_the_server(self):
        server, url = self.chat('--flood', 'off')
        code, output, _ = self.load(url, '--server-pid', str(server.pid), '--json', '-', '-q')
        self.assertEqual(code, 0)
        self.assertGreaterEqual(json.loads(output)['server_cpu_us_per_delivery'], 0)

    def test_a_server_that_slows_its_members_is_named(self):
        _, url = self.chat('--flood', '2,2')
        code, _, errors = self.load(url, '-q')
        self.assertEqual(code, 1)
        self.assertIn('start it with --flood off', errors)

    def test_a_server_that_refuses_is_quoted(self):
        _, url = self.chat('--flood', 'off', '--max-members', '5')
        code, _, errors = self.load(url, '-q')
        self.assertEqual(code, 1)
        self.assertIn('the server is full', errors)

    def test_nobody_listens(self):
        code, _, errors = self.load(self.dead_url().replace('tcp://', 'chat://'), '-q')
        self.assertEqual(code, 69)
        self.assertIn('connection refused', errors)

    def test_what_is_no_chat_is_found_out(self):
        # An echo server says nothing at first.
        url = self.serve().url.replace('tcp://', 'chat://')
        code, _, errors = self.load(url, '-q', '--timeout', '200ms')
        self.assertEqual(code, 1)
        self.assertIn('0 of 20 members are in', errors)

    def test_wrong_options(self):
        _, url = self.chat()
        for arguments, problem in ((['-c', '3', '--rooms', '2'], 'write at least 4'),
                                   (['-s', '10'], 'write 40 to 4096'),
                                   (['-p', '2'], '--depth means nothing with chat://'),
                                   (['-r', '9', '--arrivals', 'poisson'],
                                    '--arrivals means nothing with chat://'),
                                   (['--churn'], '--churn means nothing with chat://')):
            with self.subTest(arguments=arguments):
                code, output, errors = self.run_command('load', url, *arguments)
                self.assertEqual((code, output), (64, b''))
                self.assertIn(problem, errors)


if __name__ == '__main__':
    harness.main()
