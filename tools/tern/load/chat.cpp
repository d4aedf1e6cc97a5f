#include "tools/tern/load/chat.hpp"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <charconv>
#include <deque>
#include <memory>
#include <vector>

#include "backends/system/proc_stats.hpp"
#include "src/chat/doors/lines/line_door.hpp"
#include "src/support/json_writer.hpp"
#include "src/support/line_reader.hpp"
#include "tern/connector.hpp"
#include "tern/process.hpp"
#include "tern/timer.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/cli/signal_router.hpp"
#include "tools/tern/cli/units.hpp"
#include "tools/tern/load/chat_result.hpp"
#include "tools/tern/load/result_file.hpp"
#include "tools/tern/load/traffic.hpp"

namespace tern::tool {
namespace {

// What a line carries: its number, its planned time, and padding.
constexpr std::size_t line_bytes_min = 40;
// Connects under way at once: a server's queue is no longer than a few thousand.
constexpr std::size_t opening_max = 200;
// Lines a second, of all members together.
constexpr std::uint64_t standard_rate = 100;

class ChatLoad final : public Protocol {
 public:
  ChatLoad(const LoadOptions& options, const ChatLoadOptions& chat)
      : options_(options),
        endpoint_(resolve_url(options.url).front()),
        server_(options.server_pid),
        rooms_(static_cast<std::size_t>(chat.rooms)),
        send_timer_([this] { send_due(); }),
        end_timer_([this] { stop_sending(); }),
        patience_timer_([this] { give_up(); }) {
    result_.url = options.url;
    result_.members = options.connections;
    result_.rooms = rooms_.size();
    result_.message_bytes = options.message_bytes;
    result_.lines_per_second = options.is_open_loop() ? options.rate : standard_rate;
    limits_.output_bytes_max = 256 * 1024 * 1024;
    limits_.idle_timeout = Duration::zero();
    members_.resize(options.connections);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i].room = i % rooms_.size();
      members_[i].listens = i < rooms_.size();
      ++rooms_[members_[i].room].members;
      if (!members_[i].listens) senders_.push_back(i);
    }
  }

  int run() {
    SignalRouter signals;
    raise_descriptor_limit();
    system::sharpen_timers();
    const SignalRouter::Scope stop_on_signal(
        signals, [this](Signal) { reactor_.post([this] { interrupt(); }); });
    patience_timer_.arm_after(reactor_, options_.timeout);
    for (std::size_t i = 0; i < opening_max; ++i) open_next();
    reactor_.run();
    return report();
  }

 private:
  struct Member {
    Connection* connection = nullptr;
    support::LineReader reader{64 * 1024};
    std::size_t room = 0;
    bool listens = false;
    bool is_in = false;
    std::deque<std::uint32_t> ahead;  // heard, and not yet by who only listens
    std::size_t next = 0;             // in the room's order
    std::uint64_t heard = 0;
    std::uint64_t said = 0;
  };
  struct Room {
    std::size_t members = 0;
    std::uint64_t said = 0;
    std::vector<std::uint32_t> order;  // numbers of lines, as the listening member heard them
  };

  // --- connecting and joining

  void open_next() {
    if (opened_ == members_.size()) return;
    Member& member = members_[opened_++];
    Connector connector(reactor_, *this, limits_);
    member.connection = &connector.connect(endpoint_);
    member.connection->user_data = &member;
  }

  void joined(Member& member) {
    member.is_in = true;
    patience_timer_.arm_after(reactor_, options_.timeout);
    if (++joined_ == members_.size()) return begin();
    open_next();
  }

  void begin() {
    if (!options_.quiet)
      print_notice(fmt::format("{} members are in {} rooms", joined_, rooms_.size()));
    started_ns_ = clock_ns();
    cpu_before_ = options_.server_pid != 0 ? server_.cpu_s() : std::nullopt;
    sending_ = true;
    patience_timer_.cancel();
    end_timer_.arm_after(reactor_, options_.duration);
    send_due();
  }

  // --- saying

  std::int64_t planned_ns(std::uint64_t number) const {
    return started_ns_ + static_cast<std::int64_t>(1e9 * static_cast<double>(number) /
                                                   static_cast<double>(result_.lines_per_second));
  }

  void send_due() {
    const std::int64_t now = clock_ns();
    while (sending_ && planned_ns(result_.lines) <= now) {
      result_.lateness_ns.record(static_cast<std::uint64_t>(now - planned_ns(result_.lines)));
      say(planned_ns(result_.lines));
    }
    if (sending_) send_timer_.arm(reactor_, Time(Duration(planned_ns(result_.lines))));
  }

  void say(std::int64_t planned) {
    Member& member = members_[senders_[result_.lines % senders_.size()]];
    std::string text = fmt::format("{} {} ", result_.lines, planned);
    text.resize(std::max(text.size() + 1, options_.message_bytes), 'x');
    text.back() = '\n';
    if (member.connection == nullptr) return fail("a member is not there any more");
    member.connection->send(text);
    sender_of_.push_back(static_cast<std::uint32_t>(&member - members_.data()));
    ++result_.lines;
    ++member.said;
    Room& room = rooms_[member.room];
    ++room.said;
    result_.deliveries_due += room.members - 1;
  }

  void stop_sending() {
    if (!std::exchange(sending_, false)) return;
    stopped_ns_ = clock_ns();
    patience_timer_.arm_after(reactor_, options_.timeout);
    end_if_all_heard();
  }

  // --- hearing

  void received(Connection& connection, std::span<const std::byte> bytes) override {
    Member& member = *static_cast<Member*>(connection.user_data);
    member.reader.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const std::int64_t now = clock_ns();
    std::string_view line;
    while (member.reader.next(line) == support::LineReader::Got::line) hear(member, line, now);
    if (!sending_ && stopped_ns_ != 0) end_if_all_heard();
  }

  void hear(Member& member, std::string_view line, std::int64_t now) {
    if (line.starts_with('[')) {
      const std::size_t end = line.find("] ");
      const std::string_view what = line.substr(end + 2);
      if (what.starts_with("-- ") || line.find(' ') < end) return;  // presence, history
      return hear_said(member, what.substr(what.find(' ') + 1), now);
    }
    if (line.starts_with("-- welcome")) {
      member.connection->send(fmt::format("/join load-{}\n", member.room));
    } else if (line.starts_with("-- you are in ")) {
      joined(member);
    } else if (line.starts_with("-- slow down")) {
      fail("the server slows its members down; start it with --flood off");
    } else if (line.starts_with("!! ") || line.find("goodbye") != std::string_view::npos) {
      fail(std::string(line));
    }
  }

  void hear_said(Member& member, std::string_view text, std::int64_t now) {
    std::uint64_t number = 0;
    std::int64_t planned = 0;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, number);
    if (first.ec != std::errc{} || first.ptr == end || number >= result_.lines) {
      return fail(fmt::format("a line that nobody said: '{}'", text.substr(0, 60)));
    }
    const auto second = std::from_chars(first.ptr + 1, end, planned);
    const bool is_whole =
        text.size() + 1 >= options_.message_bytes && planned_ns(number) == planned;
    if (second.ec != std::errc{} || !is_whole) {
      return fail(fmt::format("a line that is not whole: '{}'", text.substr(0, 60)));
    }
    result_.latency_ns.record(static_cast<std::uint64_t>(std::max<std::int64_t>(now - planned, 0)));
    last_ns_ = now;
    ++result_.deliveries;
    ++member.heard;
    if (member.listens) {
      rooms_[member.room].order.push_back(static_cast<std::uint32_t>(number));
    } else {
      member.ahead.push_back(static_cast<std::uint32_t>(number));
      compare(member);
    }
  }

  // As far as the room's order is known.
  void compare(Member& member) {
    const std::vector<std::uint32_t>& order = rooms_[member.room].order;
    const auto self = static_cast<std::uint32_t>(&member - members_.data());
    while (!member.ahead.empty()) {
      while (member.next < order.size() && sender_of_[order[member.next]] == self) ++member.next;
      if (member.next == order.size()) return;
      if (order[member.next] != member.ahead.front()) {
        return fail(fmt::format("member {} heard line {} where others heard line {}", self,
                                member.ahead.front(), order[member.next]));
      }
      member.ahead.pop_front();
      ++member.next;
    }
  }

  // --- the end

  void end_if_all_heard() {
    if (result_.deliveries < result_.deliveries_due || ended_) return;
    for (Member& member : members_) {
      compare(member);
      const Room& room = rooms_[member.room];
      if (!member.ahead.empty() || member.heard != room.said - member.said) {
        return fail("somebody heard a line twice, and somebody else not at all");
      }
    }
    for (const Room& room : rooms_) check_senders(room);
    end();
  }

  // One sender's lines keep their order.
  void check_senders(const Room& room) {
    std::vector<std::uint32_t> last(members_.size());
    for (const std::uint32_t number : room.order) {
      std::uint32_t& before = last[sender_of_[number]];
      if (number + 1 <= before) return fail(fmt::format("line {} came out of order", number));
      before = number + 1;
    }
  }

  void give_up() {
    if (joined_ < members_.size()) {
      return fail(fmt::format("only {} of {} members are in after {} without another one", joined_,
                              members_.size(), format_duration(options_.timeout)));
    }
    fail(fmt::format("{} of {} deliveries have not come after {}",
                     result_.deliveries_due - result_.deliveries, result_.deliveries_due,
                     format_duration(options_.timeout)));
  }

  void interrupt() {
    interrupted_ = true;
    end();
  }

  void fail(const std::string& problem) {
    if (ended_) return;
    result_.problem = problem;
    end();
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    sending_ = false;
    if (stopped_ns_ == 0) stopped_ns_ = clock_ns();
    cpu_after_ = options_.server_pid != 0 ? server_.cpu_s() : std::nullopt;
    reactor_.stop();
  }

  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override {
    Member& member = *static_cast<Member*>(connection.user_data);
    member.connection = nullptr;
    if (ended_) return;
    refused_ = refused_ || reason == CloseReason::connect_failed;
    fail(fmt::format("a connection ended: {}{}", to_string(reason),
                     error ? ", " + describe(error) : std::string()));
  }

  // --- the result

  int report() {
    result_.seconds = static_cast<double>(std::max(last_ns_, stopped_ns_) - started_ns_) / 1e9;
    result_.is_verified =
        result_.problem.empty() && !interrupted_ && result_.deliveries == result_.deliveries_due;
    if (cpu_before_ && cpu_after_) result_.server_cpu_s = *cpu_after_ - *cpu_before_;
    result_.server_processors = server_.processors();
    const bool has_run = started_ns_ != 0 && result_.deliveries > 0;
    if (has_run && !options_.quiet && !options_.is_output_taken()) {
      print(chat_load_summary(result_));
    }
    if (!options_.json_path.empty()) {
      write_result_file("--json", options_.json_path, chat_load_json(result_));
    }
    if (result_.problem.empty()) return exit_success;
    throw CommandError(refused_ && joined_ == 0 ? exit_unavailable : exit_failure,
                       fmt::format("{}: {}", options_.url.to_string(), result_.problem));
  }

  const LoadOptions& options_;
  const Endpoint endpoint_;
  const system::ServerProcess server_;
  Limits limits_;
  std::vector<Member> members_;
  std::vector<Room> rooms_;
  std::vector<std::size_t> senders_;
  std::vector<std::uint32_t> sender_of_;  // each line
  ChatLoadResult result_;
  std::size_t opened_ = 0;
  std::size_t joined_ = 0;
  std::int64_t started_ns_ = 0;
  std::int64_t stopped_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::optional<double> cpu_before_;
  std::optional<double> cpu_after_;
  bool sending_ = false;
  bool ended_ = false;
  bool interrupted_ = false;
  bool refused_ = false;
  CallbackTimer send_timer_;
  CallbackTimer end_timer_;
  CallbackTimer patience_timer_;
  Reactor reactor_;  // last: its connections end before what they refer to
};

}  // namespace

void add_chat_load_options(CLI::App& app, ChatLoadOptions& options) {
  add_count(app, "--rooms", options.rooms, "rooms that the members of a chat are spread over", 1,
            1'000'000)
      ->group("Chat");
}

int load_chat(const LoadOptions& options, const ChatLoadOptions& chat) {
  const auto refuse = [](const std::string& message) { throw CommandError(exit_usage, message); };
  if (options.connections < 2 * chat.rooms) {
    refuse(
        fmt::format("-c {} is too few for --rooms {}: each has one who listens and one who "
                    "talks; write at least {}",
                    options.connections, chat.rooms, 2 * chat.rooms));
  }
  if (options.message_bytes < line_bytes_min || options.message_bytes > chat::line_bytes_max) {
    refuse(fmt::format("-s {} is no length of a chat's line; write {} to {}", options.message_bytes,
                       line_bytes_min, chat::line_bytes_max));
  }
  if (options.server_pid != 0 && !system::ServerProcess(options.server_pid).exists()) {
    refuse(fmt::format("--server-pid {}: there is no such process", options.server_pid));
  }
  check_result_file("--json", options.json_path);
  ChatLoad load(options, chat);
  return load.run();
}

}  // namespace tern::tool
