// What a load of a chat measured, and the one list of what is told of it: from chat_load_fields()
// follow the JSON and its schema.
//
//   Plain values. THREAD: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tern/url.hpp"
#include "tools/tern/load/field.hpp"
#include "tools/tern/load/histogram.hpp"

namespace tern::tool {

// Of docs/load-chat-result.schema.json: raised when a key goes away or changes its meaning.
inline constexpr std::uint64_t chat_schema_version = 1;
inline constexpr std::array<std::string_view, 1> chat_modes{"chat"};

// What each means is said in the table.
struct ChatLoadResult {
  Url url;
  std::size_t members = 0;
  std::size_t rooms = 0;
  std::size_t message_bytes = 0;
  std::uint64_t lines_per_second = 0;
  std::uint64_t lines = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t deliveries_due = 0;
  bool is_verified = false;
  double seconds = 0;
  std::optional<double> server_cpu_s;
  Histogram latency_ns;
  Histogram lateness_ns;
  std::string problem;
  std::string server_processors;

  std::optional<double> server_cpu_us_per_delivery() const;
};

// In the order in which they are written.
std::span<const Field<ChatLoadResult>> chat_load_fields();

// Several lines; the last one ends with a line break.
std::string chat_load_summary(const ChatLoadResult& result);
std::string chat_load_json(const ChatLoadResult& result);

}  // namespace tern::tool
