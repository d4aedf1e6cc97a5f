// Fixed results, and every byte of what is printed and written of them.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>

#include "tools/tern/load/chat_result.hpp"
#include "tools/tern/load/report.hpp"
#include "tools/tern/load/result.hpp"

namespace {

using namespace tern::tool;

LoadPlan plan_of(const std::string& url) {
  LoadPlan plan;
  std::string problem;
  REQUIRE(tern::Url::parse(url, plan.options.url, problem));
  return plan;
}

LoadOutcome some_outcome() {
  LoadOutcome outcome;
  LoadResult& result = outcome.result;
  result.measured = true;
  result.until = result.from + std::chrono::milliseconds(2500);
  result.measure.messages = 1'000'000;
  result.measure.latency_ns.record(250'000, 900'000);
  result.measure.latency_ns.record(1'250'000, 99'000);
  result.measure.latency_ns.record(98'765'432, 1000);
  result.measure.connect_ns.record(50'000, 49);
  result.measure.connect_ns.record(2'000'000, 1);
  result.measure.connections_opened = 50;
  result.reached = true;
  outcome.usage.loader_cpu_s = 1.5;
  outcome.usage.loader_share = 0.6;
  return outcome;
}

// Of JSON, what does not depend on who measures, when and where.
std::string measured_part(const std::string& json) {
  const std::size_t from = json.find("  \"url\"");
  return json.substr(from, json.find("  \"environment\"") - from);
}

TEST_CASE("load report: a closed loop at the loader's limit, with the server's process") {
  LoadPlan plan = plan_of("tcp://127.0.0.1:7007");
  plan.options.server_pid = 1;
  LoadOutcome outcome = some_outcome();
  outcome.usage.server_cpu_s = 2.0;
  outcome.usage.server_resident_bytes = 3 * 1024 * 1024;
  outcome.usage.server_switches = 12'345;
  outcome.usage.loader_share = 0.96;
  CHECK(load_summary({plan, outcome}) ==
        R"(tcp://127.0.0.1:7007: 50 connections, 64B messages, depth 1, 1 thread, 10s after)"
        R"( 1s of warm-up
messages    1,000,000 in 2.50 s: 400,000/s, 25.6 MB/s each way
latency us  p50 250  p90 250  p99 1,250  p99.9 1,250  max 98,765  mean 448
            closed loop: latency includes queueing
connect us  p50 50.0  p90 50.0  p99 2,000  p99.9 2,000  max 2,000  mean 89.0
errors      none
server      2.00 us of CPU a message, 80 % of one CPU, 0.012 context switches a message,)"
        R"( 3.0 MiB resident
loader      1.50 us of CPU a message, 96 % of the time of its 1 thread
warning     the loader is at its own limit: a faster server would look the same. Give it)"
        R"( more --threads on more processors, or trust the CPU per message only
)");
  CHECK(measured_part(load_json({plan, outcome})) == R"(  "url": "tcp://127.0.0.1:7007",
  "connections": 50,
  "idle_connections": 0,
  "message_bytes": 64,
  "depth": 1,
  "threads": 1,
  "seed": 1,
  "warmup_s": 1,
  "mode": "closed_loop",
  "churn": false,
  "interrupted": false,
  "connections_opened": 50,
  "duration_s": 2.5,
  "messages": 1000000,
  "messages_per_second": 400000,
  "megabytes_per_second": 25.6,
  "latency_us": {
    "p50": 250.111,
    "p90": 250.111,
    "p99": 1250.303,
    "p99_9": 1250.303,
    "max": 98765.432,
    "mean": 447.515432,
    "count": 1000000
  },
  "latency_percentiles_us": {
    "0": 250.111,
    "10": 250.111,
    "25": 250.111,
    "50": 250.111,
    "75": 250.111,
    "90": 250.111,
    "95": 1250.303,
    "97.5": 1250.303,
    "99": 1250.303,
    "99.5": 1250.303,
    "99.75": 1250.303,
    "99.9": 1250.303,
    "99.95": 98765.432,
    "99.975": 98765.432,
    "99.99": 98765.432,
    "99.999": 98765.432,
    "100": 98765.432
  },
  "connect_us": {
    "p50": 50.015,
    "p90": 50.015,
    "p99": 2000,
    "p99_9": 2000,
    "max": 2000,
    "mean": 89,
    "count": 50
  },
  "errors": 0,
  "errors_by_class": {
    "connect_refused": 0,
    "connect_timed_out": 0,
    "connect_failed": 0,
    "answer_timed_out": 0,
    "wrong_bytes": 0,
    "surplus_bytes": 0,
    "ended_by_server": 0,
    "reset_by_server": 0,
    "connection_failed": 0,
    "all_lost": 0
  },
  "server_cpu_us_per_message": 2,
  "server_resident_bytes": 3145728,
  "server_context_switches_per_message": 0.012345,
  "loader_cpu_us_per_message": 1.5,
  "loader_cpu_share": 0.96,
)");
}

TEST_CASE("load report: an open loop behind TLS") {
  LoadPlan plan = plan_of("tls://127.0.0.1:7443");
  const int context = 0;  // nobody looks into it
  plan.tls = std::shared_ptr<tern::TlsContext>(
      std::shared_ptr<void>(), reinterpret_cast<tern::TlsContext*>(const_cast<int*>(&context)));
  plan.options.rate = 500'000;
  plan.options.arrivals = Arrivals::poisson;
  plan.options.seed = 7;
  plan.options.threads = 2;
  plan.options.server_pid = 1;
  LoadOutcome outcome = some_outcome();
  LoadMeasure& measure = outcome.result.measure;
  measure.unanswered = 3;
  measure.lateness_ns.record(400'000, 1'000'000);
  measure.latency_ns.record(200'000'000'000, 2);
  measure.handshake_ns.record(900'000, 50);
  measure.handshakes_resumed = 12;
  CHECK(load_summary({plan, outcome}) ==
        R"(tls://127.0.0.1:7443: 50 connections, 64B messages, open loop at 500,000/s)"
        R"( (poisson, seed 7), 2 threads, 10s after 1s of warm-up
messages    1,000,000 in 2.50 s: 400,000/s, 25.6 MB/s each way
latency us  p50 250  p90 1,250  p99 1,250  p99.9 98,828  max 137,438,953  mean 722
            open loop: from the planned time of sending, not from the actual one
rate        500,000/s asked, 400,000/s achieved (80.00 %)
lateness us p50 400  p90 400  p99 400  p99.9 400  max 400  mean 400 (our sends, behind the plan)
unanswered  3 messages planned; their latency is missing above
            2 were above 137 s and are counted as that
connect us  p50 50.0  p90 50.0  p99 2,000  p99.9 2,000  max 2,000  mean 89.0
tls us      p50 900  p90 900  p99 900  p99.9 900  max 900  mean 900
            50 handshakes, 12 of them resumed
errors      none
server      its processor time could not be read
loader      1.50 us of CPU a message, 60 % of the time of its 2 threads
)");
  CHECK(measured_part(load_json({plan, outcome})) == R"(  "url": "tls://127.0.0.1:7443",
  "connections": 50,
  "idle_connections": 0,
  "message_bytes": 64,
  "depth": 1,
  "threads": 2,
  "seed": 7,
  "warmup_s": 1,
  "mode": "open_loop",
  "rate_asked": 500000,
  "arrivals": "poisson",
  "unanswered": 3,
  "lateness_us": {
    "p50": 400,
    "p90": 400,
    "p99": 400,
    "p99_9": 400,
    "max": 400,
    "mean": 400,
    "count": 1000000
  },
  "churn": false,
  "interrupted": false,
  "connections_opened": 50,
  "duration_s": 2.5,
  "messages": 1000000,
  "messages_per_second": 400000,
  "megabytes_per_second": 25.6,
  "latency_us": {
    "p50": 250.111,
    "p90": 1250.303,
    "p99": 1250.303,
    "p99_9": 98828.287,
    "max": 137438953.471,
    "mean": 722.3918941582117,
    "count": 1000002
  },
  "latency_percentiles_us": {
    "0": 250.111,
    "10": 250.111,
    "25": 250.111,
    "50": 250.111,
    "75": 250.111,
    "90": 1250.303,
    "95": 1250.303,
    "97.5": 1250.303,
    "99": 1250.303,
    "99.5": 1250.303,
    "99.75": 1250.303,
    "99.9": 98828.287,
    "99.95": 98828.287,
    "99.975": 98828.287,
    "99.99": 98828.287,
    "99.999": 98828.287,
    "100": 137438953.471
  },
  "connect_us": {
    "p50": 50.015,
    "p90": 50.015,
    "p99": 2000,
    "p99_9": 2000,
    "max": 2000,
    "mean": 89,
    "count": 50
  },
  "handshake_us": {
    "p50": 900,
    "p90": 900,
    "p99": 900,
    "p99_9": 900,
    "max": 900,
    "mean": 900,
    "count": 50
  },
  "handshakes_resumed": 12,
  "errors": 0,
  "errors_by_class": {
    "connect_refused": 0,
    "connect_timed_out": 0,
    "connect_failed": 0,
    "answer_timed_out": 0,
    "wrong_bytes": 0,
    "surplus_bytes": 0,
    "ended_by_server": 0,
    "reset_by_server": 0,
    "connection_failed": 0,
    "all_lost": 0
  },
  "server_cpu_us_per_message": null,
  "server_resident_bytes": null,
  "server_context_switches_per_message": null,
  "loader_cpu_us_per_message": 1.5,
  "loader_cpu_share": 0.6,
)");
}

TEST_CASE("load report: datagrams") {
  LoadPlan plan = plan_of("udp://127.0.0.1:7007");
  plan.options.idle = 9;
  plan.options.depth = 4;
  LoadOutcome outcome = some_outcome();
  LoadMeasure& measure = outcome.result.measure;
  measure.sent = 1'000'010;
  measure.lost = 10;
  measure.late = 1;
  measure.reordered = 2;
  measure.duplicated = 3;
  measure.dropped_locally = 4;
  measure.bounced = 5;
  CHECK(load_summary({plan, outcome}) ==
        R"(udp://127.0.0.1:7007: 50 connections, 64B messages, depth 4, 1 thread, 9)"
        R"( connections idle, 10s after 1s of warm-up
messages    1,000,000 in 2.50 s: 400,000/s, 25.6 MB/s each way
latency us  p50 250  p90 250  p99 1,250  p99.9 1,250  max 98,765  mean 448
            closed loop: latency includes queueing
connect us  p50 50.0  p90 50.0  p99 2,000  p99.9 2,000  max 2,000  mean 89.0
datagrams   1,000,010 sent, 10 lost (0.001 %), 2 reordered, 3 duplicated
            1 answered too late, 4 dropped here for lack of room, 5 bounced
errors      none
loader      1.50 us of CPU a message, 60 % of the time of its 1 thread
)");
  CHECK(measured_part(load_json({plan, outcome})) == R"(  "url": "udp://127.0.0.1:7007",
  "connections": 50,
  "idle_connections": 9,
  "message_bytes": 64,
  "depth": 4,
  "threads": 1,
  "seed": 1,
  "warmup_s": 1,
  "mode": "closed_loop",
  "churn": false,
  "interrupted": false,
  "connections_opened": 50,
  "duration_s": 2.5,
  "messages": 1000000,
  "messages_per_second": 400000,
  "megabytes_per_second": 25.6,
  "latency_us": {
    "p50": 250.111,
    "p90": 250.111,
    "p99": 1250.303,
    "p99_9": 1250.303,
    "max": 98765.432,
    "mean": 447.515432,
    "count": 1000000
  },
  "latency_percentiles_us": {
    "0": 250.111,
    "10": 250.111,
    "25": 250.111,
    "50": 250.111,
    "75": 250.111,
    "90": 250.111,
    "95": 1250.303,
    "97.5": 1250.303,
    "99": 1250.303,
    "99.5": 1250.303,
    "99.75": 1250.303,
    "99.9": 1250.303,
    "99.95": 98765.432,
    "99.975": 98765.432,
    "99.99": 98765.432,
    "99.999": 98765.432,
    "100": 98765.432
  },
  "connect_us": {
    "p50": 50.015,
    "p90": 50.015,
    "p99": 2000,
    "p99_9": 2000,
    "max": 2000,
    "mean": 89,
    "count": 50
  },
  "errors": 0,
  "errors_by_class": {
    "connect_refused": 0,
    "connect_timed_out": 0,
    "connect_failed": 0,
    "answer_timed_out": 0,
    "wrong_bytes": 0,
    "surplus_bytes": 0,
    "ended_by_server": 0,
    "reset_by_server": 0,
    "connection_failed": 0,
    "all_lost": 0
  },
  "sent": 1000010,
  "lost": 10,
  "late": 1,
  "reordered": 2,
  "duplicated": 3,
  "dropped_locally": 4,
  "bounced": 5,
  "server_cpu_us_per_message": null,
  "server_resident_bytes": null,
  "server_context_switches_per_message": null,
  "loader_cpu_us_per_message": 1.5,
  "loader_cpu_share": 0.6,
)");

  plan.options.idle = 1;
  plan.options.rate = 1000;
  measure.late = measure.dropped_locally = measure.bounced = 0;
  measure.unanswered = 1;
  CHECK(load_summary({plan, outcome}) ==
        R"(udp://127.0.0.1:7007: 50 connections, 64B messages, open loop at 1,000/s)"
        R"( (constant), 1 thread, 1 connection idle, 10s after 1s of warm-up
messages    1,000,000 in 2.50 s: 400,000/s, 25.6 MB/s each way
latency us  p50 250  p90 250  p99 1,250  p99.9 1,250  max 98,765  mean 448
            open loop: from the planned time of sending, not from the actual one
rate        1,000/s asked, 400,000/s achieved (40000.00 %)
lateness us nothing was measured (our sends, behind the plan)
unanswered  1 message planned; their latency is missing above
connect us  p50 50.0  p90 50.0  p99 2,000  p99.9 2,000  max 2,000  mean 89.0
datagrams   1,000,010 sent, 10 lost (0.001 %), 2 reordered, 3 duplicated
errors      none
loader      1.50 us of CPU a message, 60 % of the time of its 1 thread
)");
}

TEST_CASE("load report: a connection a message, interrupted and with errors; and nothing at all") {
  LoadPlan plan = plan_of("unix:/run/tern.sock");
  plan.options.churn = true;
  plan.options.count = 1'000'000;
  LoadOutcome outcome = some_outcome();
  outcome.interrupted = true;
  outcome.result.errors.add(LoadError::wrong_bytes, "connection 3: byte 5", 2);
  outcome.result.errors.add(LoadError::reset_by_server, "connection 9: reset");
  CHECK(load_summary({plan, outcome}) ==
        R"(unix:/run/tern.sock: 50 connections, 64B messages, depth 1, 1 thread, a new)"
        R"( connection for each message, 1,000,000 messages
stopped     by a signal; what was measured until then:
messages    1,000,000 in 2.50 s: 400,000/s, 25.6 MB/s each way
latency us  p50 250  p90 250  p99 1,250  p99.9 1,250  max 98,765  mean 448
            closed loop: from the connect to the last byte of the echo
connect us  p50 50.0  p90 50.0  p99 2,000  p99.9 2,000  max 2,000  mean 89.0
errors      2 wrong_bytes; the first: connection 3: byte 5
            1 reset_by_server; the first: connection 9: reset
loader      1.50 us of CPU a message, 60 % of the time of its 1 thread
)");

  plan.options.rate = 9;
  plan.options.connections = 1;
  CHECK(load_summary({plan, LoadOutcome()}) ==
        R"(unix:/run/tern.sock: 1 connection, 64B messages, open loop at 9/s (constant), 1)"
        R"( thread, a new connection for each message, 1,000,000 messages; ended before anything)"
        R"( was measured
messages    0 in 0.00 s: 0.00/s, 0.00 MB/s each way
latency us  nothing was measured
            open loop: from the planned time of the connect to the end of the echo
rate        9/s asked, 0.00/s achieved (0.00 %)
lateness us nothing was measured (our sends, behind the plan)
errors      none
)");
}

TEST_CASE("load report: a chat") {
  ChatLoadResult result;
  std::string problem;
  REQUIRE(tern::Url::parse("tcp://127.0.0.1:7070", result.url, problem));
  result.members = 20;
  result.rooms = 2;
  result.message_bytes = 64;
  result.lines_per_second = 200;
  result.lines = 500;
  result.deliveries = result.deliveries_due = 4500;
  result.is_verified = true;
  result.seconds = 2.5;
  result.server_cpu_s = 0.45;
  result.latency_ns.record(250'000, 4494);
  result.latency_ns.record(2'000'000, 6);
  result.lateness_ns.record(40'000, 500);
  CHECK(chat_load_summary(result) == R"(members     20 in 2 rooms
lines       500 of 64 bytes, 200 a second
deliveries  4500 of 4500, 1800 a second, every line verified
latency us  p50 250  p90 250  p99 250  p99.9 2,000  max 2,000  mean 252
            from the planned time of sending, not from the actual one
lateness us p50 40.0  p90 40.0  p99 40.0  p99.9 40.0  max 40.0  mean 40.0 (our sends,)"
                                     R"( behind the plan)
server CPU  100.000 us a delivery
)");
  CHECK(measured_part(chat_load_json(result)) == R"(  "url": "tcp://127.0.0.1:7070",
  "mode": "chat",
  "members": 20,
  "rooms": 2,
  "message_bytes": 64,
  "lines_per_second": 200,
  "lines": 500,
  "deliveries": 4500,
  "deliveries_due": 4500,
  "verified": true,
  "seconds": 2.5,
  "deliveries_per_second": 1800,
  "server_cpu_us_per_delivery": 100,
  "latency_us": {
    "p50": 250.111,
    "p90": 250.111,
    "p99": 250.111,
    "p99_9": 2000,
    "max": 2000,
    "mean": 252.33333333333334,
    "count": 4500
  },
  "lateness_us": {
    "p50": 40,
    "p90": 40,
    "p99": 40,
    "p99_9": 40,
    "max": 40,
    "mean": 40,
    "count": 500
  },
  "problem": "",
)");
}

}  // namespace
