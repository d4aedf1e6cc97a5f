// A chat whose members send anything: what others read is whole lines of clean text, each of a kind
// that says who speaks, and what is held stays within its limits.
//
// The input is cut at each 0xfe, a byte that UTF-8 never has: the byte after it says which of three
// members sends what follows, and that a piece ends here.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "src/chat/doors/lines/command_table.hpp"
#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/hub/names.hpp"
#include "src/support/text.hpp"

namespace {

using namespace tern::chat;

constexpr std::size_t members = 3;

void require(bool condition) {
  if (!condition) std::abort();
}

class Doors final : public HubEvents {
 public:
  void send_to(MemberId member, const Event& event) override {
    require(here.contains(member));
    door.write(event, written[member]);
  }
  void broadcast(RoomId room, MemberId except, const Event& event) override {
    for (const MemberId member : rooms[room]) {
      if (member != except) send_to(member, event);
    }
  }
  void entered(RoomId room, MemberId member) override { rooms[room].insert(member); }
  void exited(RoomId room, MemberId member) override { require(rooms[room].erase(member) == 1); }
  void verify(MemberId, std::string_view, std::string_view password) override {
    result = password.front() == 'y' ? PasswordResult::right : PasswordResult::wrong;
  }
  void dismissed(MemberId member) override {
    check();
    here.erase(member);
    for (const auto& [room, in_it] : rooms) require(!in_it.contains(member));
  }

  // All that was written is lines that nobody has forged.
  void check() {
    for (auto& [member, text] : written) {
      require(text.empty() || text.back() == '\n');
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        check_line(std::string_view(text).substr(at, end - at));
        at = end + 1;
      }
      text.clear();
    }
  }

  LineDoor door;
  PasswordResult result = PasswordResult::busy;
  std::set<MemberId> here;
  std::map<MemberId, std::string> written;
  std::map<RoomId, std::set<MemberId>> rooms;

 private:
  static void check_line(std::string_view line) {
    require(tern::support::check_text(line).problem == tern::support::TextProblem::none);
    require(line.size() <= line_bytes_max + 200);
    if (line.starts_with("-- ") || line.starts_with("!! ")) return;
    const bool is_private = line.starts_with("(private) ");
    require(is_private || line.starts_with('['));
    if (!is_private) {
      const std::size_t end = line.find(']');
      require(end != std::string_view::npos && line.substr(end).starts_with("] "));
      require(is_name(line.substr(1, std::min(line.find(' '), end) - 1), 32));
      line.remove_prefix(end + 2);
    } else {
      line.remove_prefix(10);
    }
    if (line.starts_with("-- ")) return;
    if (line.starts_with("* ")) line.remove_prefix(2);
    require(is_name(line.substr(0, line.find_first_of(": ")), 32));
  }
};

void take_commands(Hub& hub, Doors& doors, MemberId member, DoorReader& reader) {
  Command command;
  while (reader.next(command)) {
    hub.handle(member, command, 1);
    if (hub.is_verifying(member)) hub.verified(member, doors.result);
    doors.check();
  }
  require(reader.held_bytes() <= line_bytes_max + 1);
}

// A byte 0xfd and the next one stand for a command, so that all of them are tried.
std::string with_commands(std::string_view piece) {
  std::string text;
  for (std::size_t at = 0; at < piece.size(); ++at) {
    if (piece[at] != '\xfd' || at + 1 == piece.size()) {
      text += piece[at];
      continue;
    }
    const CommandRow& row =
        command_rows[static_cast<unsigned char>(piece[++at]) % command_rows.size()];
    text.append("\n/").append(row.name).append(" ");
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  HubLimits limits;
  limits.rooms_max = 3;
  limits.joins_max = 2;
  limits.history_lines_max = 5;
  limits.history_bytes_max = 100;
  limits.bans_max = 3;
  Doors doors;
  Hub hub(limits, doors);
  hub.set_reserved_names({{"a", "b"}, {"b"}});
  std::array<std::unique_ptr<DoorReader>, members> readers;
  for (std::size_t i = 0; i < members; ++i) {
    doors.here.insert(i + 1);
    hub.arrive(i + 1);
    readers[i] = doors.door.make_reader();
  }
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t sender = 0;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\xfe'), input.size());
    readers[sender]->feed(with_commands(input.substr(0, end)));
    take_commands(hub, doors, sender + 1, *readers[sender]);
    input.remove_prefix(end);
    if (input.size() < 2) break;
    sender = static_cast<unsigned char>(input[1]) % members;
    input.remove_prefix(2);
  }
  require(hub.rooms() <= limits.rooms_max);
  require(hub.history_bytes() <= limits.rooms_max * (line_bytes_max + 100));
  for (std::size_t i = 0; i < members; ++i) hub.gone(i + 1, PartReason::lost);
  require(hub.members() == 0);
  return 0;
}
