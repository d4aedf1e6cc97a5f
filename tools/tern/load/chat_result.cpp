#include "tools/tern/load/chat_result.hpp"

#include <fmt/core.h>

#include "tools/tern/load/origin.hpp"
#include "tools/tern/load/report.hpp"

namespace tern::tool {
namespace {

template <auto member>
FieldValue value(const ChatLoadResult& result) {
  return result.*member;
}

template <Histogram ChatLoadResult::*member>
FieldValue histogram(const ChatLoadResult& result) {
  return &(result.*member);
}

constexpr std::array chat_load_table = std::to_array<Field<ChatLoadResult>>({
    {.name = "mode",
     .value = [](const ChatLoadResult&) -> FieldValue { return std::string(chat_modes.front()); },
     .meaning = "what tells it from a load of messages",
     .choices = chat_modes},
    {.name = "members",
     .value = value<&ChatLoadResult::members>,
     .meaning = "people, one in each room only listens"},
    {.name = "rooms",
     .value = value<&ChatLoadResult::rooms>,
     .meaning = "that they are spread over"},
    {.name = "message_bytes",
     .value = value<&ChatLoadResult::message_bytes>,
     .meaning = "the size of a line"},
    {.name = "lines_per_second",
     .value = value<&ChatLoadResult::lines_per_second>,
     .meaning = "that were planned, of all together"},
    {.name = "lines", .value = value<&ChatLoadResult::lines>, .meaning = "that were said"},
    {.name = "deliveries",
     .value = value<&ChatLoadResult::deliveries>,
     .meaning = "lines that were heard, by each member"},
    {.name = "deliveries_due",
     .value = value<&ChatLoadResult::deliveries_due>,
     .meaning = "lines that should have been heard"},
    {.name = "verified",
     .value = value<&ChatLoadResult::is_verified>,
     .meaning = "whether all were heard once, whole and in the room's order"},
    {.name = "seconds",
     .value = value<&ChatLoadResult::seconds>,
     .meaning = "from the first line planned to the last delivery"},
    {.name = "deliveries_per_second",
     .value = [](const ChatLoadResult& result) -> FieldValue {
       return static_cast<double>(result.deliveries) / result.seconds;
     },
     .meaning = "deliveries by seconds"},
    {.name = "server_cpu_us_per_delivery",
     .value = [](const ChatLoadResult& result) -> FieldValue {
       return result.server_cpu_us_per_delivery();
     },
     .meaning = "with --server-pid: processor time of the server"},
    {.name = "latency_us",
     .value = histogram<&ChatLoadResult::latency_ns>,
     .meaning = "of deliveries, from the planned time of their line"},
    {.name = "lateness_us",
     .value = histogram<&ChatLoadResult::lateness_ns>,
     .meaning = "of lines: the loader's sends, behind the plan"},
    {.name = "problem",
     .value = value<&ChatLoadResult::problem>,
     .meaning = "what ended the run early; empty: nothing"},
});

}  // namespace

std::span<const Field<ChatLoadResult>> chat_load_fields() { return chat_load_table; }

std::optional<double> ChatLoadResult::server_cpu_us_per_delivery() const {
  if (!server_cpu_s || deliveries == 0) return {};
  return *server_cpu_s * 1e6 / static_cast<double>(deliveries);
}

std::string chat_load_summary(const ChatLoadResult& result) {
  std::string text = fmt::format(
      "members     {} in {} rooms\n"
      "lines       {} of {} bytes, {:.0f} a second\n"
      "deliveries  {} of {}, {:.0f} a second{}\n"
      "latency us  {}\n"
      "            from the planned time of sending, not from the actual one\n"
      "lateness us {} (our sends, behind the plan)\n",
      result.members, result.rooms, result.lines, result.message_bytes,
      static_cast<double>(result.lines) / result.seconds, result.deliveries, result.deliveries_due,
      static_cast<double>(result.deliveries) / result.seconds,
      result.is_verified ? ", every line verified" : "", percentiles_text(result.latency_ns),
      percentiles_text(result.lateness_ns));
  if (const auto cpu_us = result.server_cpu_us_per_delivery()) {
    text += fmt::format("server CPU  {:.3f} us a delivery\n", *cpu_us);
  }
  return text;
}

std::string chat_load_json(const ChatLoadResult& result) {
  support::JsonWriter json;
  json.open();
  add_origin(json, {chat_schema_version, result.url});
  add_fields(json, chat_load_fields(), result);
  add_environment(json, result.server_processors);
  return json.close().text();
}

}  // namespace tern::tool
