// What a run measured. Each worker fills its own; they are merged at the end.
//
//   Plain values. THREAD: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tern/time.hpp"
#include "tools/tern/load/histogram.hpp"

namespace tern::tool {

enum class LoadError : std::uint8_t {
  connect_refused,    // nobody listens there
  connect_timed_out,  // not open within --timeout
  connect_failed,     // any other reason that a connection or a socket could not be opened
  answer_timed_out,   // nothing came within --timeout although an answer was due
  wrong_bytes,        // not the bytes that were sent
  surplus_bytes,      // more bytes than were sent
  ended_by_server,    // the stream ended before all was answered
  reset_by_server,    // the connection was reset
  connection_failed,  // it ended by any other error
  all_lost,           // UDP: not one datagram was answered
};
inline constexpr std::size_t load_error_count = 10;

// "connect_refused", ...: the keys of errors_by_class in JSON.
std::string_view to_string(LoadError error);

class LoadErrors {
 public:
  // `example` is one line: which connection, where, what. The first of each class is kept.
  void add(LoadError error, std::string example, std::uint64_t times = 1);
  void merge(const LoadErrors& other);

  std::uint64_t total() const;
  std::uint64_t of(LoadError error) const { return counts_[static_cast<std::size_t>(error)]; }
  const std::string& example(LoadError error) const {
    return examples_[static_cast<std::size_t>(error)];
  }

 private:
  std::array<std::uint64_t, load_error_count> counts_{};
  std::array<std::string, load_error_count> examples_;
};

// What can happen to datagrams that is no error of the server's.
struct DatagramCounts {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;        // not answered within --udp-timeout
  std::uint64_t late = 0;        // of those, the ones whose answer came after all
  std::uint64_t reordered = 0;   // answered after one that was sent later
  std::uint64_t duplicated = 0;  // answers beyond the first
  std::uint64_t dropped = 0;     // of those lost, the ones our own kernel had no room for
  std::uint64_t bounced = 0;     // reports of the network that a datagram did not arrive

  DatagramCounts& operator+=(const DatagramCounts& other);
};

// Connections that were made.
struct ConnectCounts {
  Histogram connect_ns;       // until the socket was connected
  Histogram handshake_ns;     // TLS: from then on, until both had agreed
  std::uint64_t opened = 0;   // busy ones
  std::uint64_t resumed = 0;  // of the handshakes

  void merge(const ConnectCounts& other);
};

// What is counted while measuring.
struct LoadMeasure {
  Histogram latency_ns;
  Histogram lateness_ns;         // open loop: of our sends, behind the plan
  std::uint64_t messages = 0;    // sent, answered and verified
  std::uint64_t unanswered = 0;  // open loop: planned, and not answered when their client ended
  DatagramCounts datagrams;
  ConnectCounts connects;

  // When the warm-up ends. Connections that were made before it are kept, unless each message has
  // its own.
  void reset(bool connects_too);
  void merge(const LoadMeasure& other);
};

struct LoadResult {
  LoadMeasure measure;
  LoadErrors errors;
  bool reached = false;           // whether any connection was ever opened
  std::uint64_t idle_opened = 0;  // idle ones that were opened and exchanged their message
  Time from{};                    // the measured span; both equal when nothing was measured
  Time until{};
  bool measured = false;

  Duration elapsed() const { return measured ? until - from : Duration::zero(); }
  double messages_per_second() const;
  void merge(const LoadResult& other);
};

// The processor time and memory of the server and of ourselves over the measured span.
struct LoadUsage {
  std::optional<double> server_cpu_s;
  std::optional<std::uint64_t> server_resident_bytes;
  std::string server_processors;
  std::optional<std::uint64_t> server_switches;  // between its threads and others
  double loader_cpu_s = 0;
  // Of the time that our threads could have used on the processors we may run on.
  double loader_share = 0;
};

}  // namespace tern::tool
