#include "tools/tern/chat/options.hpp"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <algorithm>

#include "src/chat/doors/lines/line_door.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

// Who comes when the server is full is told so; this many at once are.
constexpr std::size_t refused_at_once = 1000;
constexpr std::size_t hard_limit_bytes_min = 64 * 1024;
constexpr std::size_t history_bytes_largest = 32 * 1024;

// "off", "5" or "5,20": lines a second, and how many at once.
support::TokenRate read_flood(const std::string& text) {
  if (text == "off") return {};
  std::uint64_t rate = 0;
  std::uint64_t burst = 0;
  std::string problem;
  const std::size_t comma = text.find(',');
  bool good = parse_count(text.substr(0, comma), rate, problem) && rate > 0 && rate <= 1'000'000;
  if (comma == std::string::npos) {
    burst = std::max<std::uint64_t>(4 * rate, 1);
  } else {
    good = good && parse_count(text.substr(comma + 1), burst, problem);
  }
  if (!good || burst < 1 || burst > 1'000'000) {
    refuse("--flood", text, "a rate of lines",
           "off, RATE or RATE,BURST (such as 5,20): lines a second, and at once");
  }
  return {Duration(std::chrono::seconds(1)) / static_cast<Duration::rep>(rate),
          static_cast<std::uint32_t>(burst)};
}

Duration read_sync(const std::string& text) {
  if (text == "always") return Duration::zero();
  if (text == "off") return Duration::max();
  Duration interval{};
  std::string problem;
  if (!parse_duration(text, interval, problem) || interval < std::chrono::milliseconds(1)) {
    refuse("--fsync", text, "a time to sync", "always, off, or a duration such as 1s");
  }
  return interval;
}

// A running server takes it from a changed file; everything else needs a restart.
void make_reloadable(ChatOptions& options, const CLI::Option* option) {
  options.reloadable.insert(option->get_lnames().front());
}

void add_limits(CLI::App& app, ChatOptions& options) {
  chat::ServiceOptions& service = options.service;
  chat::HubLimits& hub = service.hub;
  const auto add = [&options](CLI::Option* option) {
    make_reloadable(options, option->group("Limits"));
  };
  add_count(app, "--max-members", options.members_max, "members at once; one more is told so", 1,
            10'000'000)
      ->group("Limits");
  add(add_count(app, "--max-rooms", options.rooms_max,
                "rooms; those without members are kept until their place is needed", 1,
                10'000'000));
  add(add_count(app, "--max-room-members", options.room_members_max, "members of one room", 1,
                10'000'000));
  add(add_count(app, "--max-joins", options.joins_max, "rooms that one member is in at once", 1,
                1000));
  add(add_size(app, "--max-name", hub.name_bytes_max, "bytes of a nickname or a room's name", 10,
               200));
  add(add_size(app, "--max-topic", hub.topic_bytes_max, "bytes of a room's topic", 1, 4096));
  add(add_count(app, "--history", options.history_lines,
                "lines of each room that are kept for /history; 0: none", 0, 1000));
  add(add_count(app, "--replay", options.replay_lines, "of these, told to who joins; 0: none", 0,
                1000));
  add(add_size(app, "--history-bytes", hub.history_bytes_max, "their text together, in each room",
               1, history_bytes_largest));
  add(add_size(
      app, "--soft-limit", service.output_soft_bytes,
      "queued output above which a member is not told any more who comes and goes, and its "
      "own lines wait",
      1024));
  add(add_size(app, "--hard-limit", service.output_hard_bytes,
               "queued output above which a member is disconnected as too slow",
               hard_limit_bytes_min));
  add(add_text(app, "--flood", "RATE", "5,20",
               "lines a second that a member may send, and at once: faster ones wait; or off",
               [&service](const std::string& text) { service.flood = read_flood(text); }));
  add(add_duration(app, "--flood-patience", service.flood_patience,
                   "disconnect who sends too fast for so long without a break; 0: never"));
  add(add_duration(app, "--ping", service.ping_interval,
                   "send a line where nothing has moved for so long; 0: never"));
  add(add_duration(app, "--idle-timeout", service.idle_timeout,
                   "disconnect who has sent no line for so long; 0: never"));
}

void add_history(CLI::App& app, ChatOptions& options) {
  chat::JournalFileOptions& journal = options.journal;
  const char* group = "History on disk";
  add_text(app, "--data", "DIR", "", "keep the history in this directory, across restarts",
           [&journal](const std::string& text) { journal.directory = text; })
      ->group(group);
  add_text(app, "--fsync", "WHEN", "1s",
           "ask the disk to keep what was written: always (before anybody hears it), off, or this "
           "often",
           [&journal](const std::string& text) { journal.sync = read_sync(text); })
      ->group(group);
  add_size(app, "--data-max", journal.bytes_max,
           "a longer file is written anew, with what is still in the rooms' history", 1024)
      ->group(group);
}

void add_names(CLI::App& app, ChatOptions& options) {
  const char* group = "Names";
  const auto add = [&](const char* name, const char* type, const char* text, std::string& target) {
    return add_text(app, name, type, "", text,
                    [&target](const std::string& value) { target = value; })
        ->group(group);
  };
  make_reloadable(options,
                  add("--reserved", "FILE", "names that only who knows their password may have",
                      options.reserved));
  make_reloadable(
      options, add("--operators", "FILE",
                   "of these, names that may kick, ban and mute in each room", options.operators));
  add("--reserve", "NAME",
      "read a password from standard input, print the line for --reserved, and end",
      options.reserve)
      ->configurable(false);
}

void add_configuration(CLI::App& app, ChatOptions& options) {
  const char* group = "Configuration";
  add_text(app, "--config", "FILE", "",
           "a TOML file with any of these options: max-members = 5000; SIGHUP reads it again",
           [&options](const std::string& text) { options.config = text; })
      ->group(group)
      ->configurable(false);
  with_environment(
      app.add_flag("--check-config", options.checks,
                   "read everything as at the start, say OK or what is wrong, and end"))
      ->group(group)
      ->configurable(false);
}

}  // namespace

void add_chat_options(CLI::App& app, ChatOptions& options) {
  add_server_options(app, options.settings, "tcp:// or tls://HOST:PORT, unix:/PATH or unix:@NAME");
  add_configuration(app, options);
  add_limits(app, options);
  add_history(app, options);
  add_names(app, options);
  add_time_limits(app, options.settings);
  add_socket_options(app, options.settings);
  add_tls_server_options(app, options.settings.serve.tls);
  for (const CLI::Option* option : add_log_options(app)) make_reloadable(options, option);
}

void settle(ChatOptions& options) {
  settle(options.settings);
  for (const Url& url : options.settings.serve.listen) {
    if (url.scheme != Scheme::udp) continue;
    throw CommandError(exit_usage, fmt::format("--listen {}: a chat needs a stream; write "
                                               "tcp://, tls:// or unix:",
                                               url.to_string()));
  }
  chat::ServiceOptions& service = options.service;
  if (service.output_soft_bytes > service.output_hard_bytes) {
    throw CommandError(exit_usage,
                       fmt::format("--soft-limit {} is above --hard-limit {}; write a lower one",
                                   format_size(service.output_soft_bytes),
                                   format_size(service.output_hard_bytes)));
  }
  service.hub.members_max = options.members_max;
  service.hub.rooms_max = options.rooms_max;
  service.hub.room_members_max = options.room_members_max;
  service.hub.joins_max = options.joins_max;
  service.hub.history_lines_max = options.history_lines;
  service.hub.replay_lines_max = options.replay_lines;
  // Members that read must not be taken for slow ones because of one answer.
  const std::size_t needed = service.output_soft_bytes + chat::answer_bytes_max(service.hub);
  if (service.output_hard_bytes < needed) {
    throw CommandError(
        exit_usage,
        fmt::format("--hard-limit {} is less than --soft-limit and the longest answer, a /history, "
                    "/rooms or /who, have together; write at least {}KiB, or lower those limits",
                    format_size(service.output_hard_bytes), needed / 1024 + 1));
  }
  ServerOptions& server = options.settings.serve.server;
  server.listener.connections_max = service.hub.members_max + refused_at_once;
  // The most of one member's lines that are read before it is known whether they may be.
  server.reactor.receive_bytes = 16 * 1024;
}

}  // namespace tern::tool
