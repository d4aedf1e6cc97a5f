// What the user of `tern load` asked for, read and checked. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tern/time.hpp"
#include "tern/url.hpp"
#include "tools/tern/cli/tls.hpp"
#include "tools/tern/load/condition.hpp"
#include "tools/tern/load/schedule.hpp"

namespace tern::tool {

struct LoadOptions {
  Url url;
  TlsClientSettings tls;
  std::size_t connections = 50;
  std::size_t idle = 0;  // further connections, held open without traffic
  std::size_t message_bytes = 64;
  std::size_t depth = 1;   // unanswered messages a connection
  std::uint64_t rate = 0;  // messages a second over all connections; 0: closed loop
  Arrivals arrivals = Arrivals::constant;
  std::uint64_t count = 0;  // messages in all; 0: stop by time
  Duration duration = std::chrono::seconds(10);
  Duration warmup = std::chrono::seconds(1);
  Duration ramp = Duration::zero();
  Duration timeout = std::chrono::seconds(10);
  Duration udp_timeout = std::chrono::milliseconds(200);
  unsigned threads = 1;
  std::uint64_t seed = 1;
  std::uint64_t server_pid = 0;  // 0: not asked for
  std::string hdr_path;          // percentiles as HdrHistogram writes them; "-": standard output
  std::string json_path;         // "-": standard output; empty: none
  std::vector<LoadCondition> fail_if;
  std::optional<LoadCondition> find_max;  // search for the highest rate at which it holds
  bool churn = false;                     // a connection for each message
  bool quiet = false;
  bool resume = true;  // TLS: with the tickets of earlier connections

  bool is_open_loop() const { return rate != 0; }
  bool by_count() const { return count != 0; }
  // By a result, so that the summary goes elsewhere.
  bool is_output_taken() const { return json_path == "-" || hdr_path == "-"; }
  bool is_datagram() const { return url.scheme == Scheme::udp; }
};

}  // namespace tern::tool
