// HubFixture: the hub without any door, and what each member hears.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/hub/hub.hpp"

namespace tern::chat {

// Plays the doors: keeps what each member is told, as lines.
class HubFixture final : public HubEvents {
 public:
  explicit HubFixture(const HubLimits& limits = {}) : hub(limits, *this) {}

  void arrive(MemberId member, const std::string& name) {
    hub.arrive(member);
    hub.handle(member, {.kind = Command::Kind::nick, .name = name}, 0);
    heard.clear();
  }
  void command(MemberId member, const Command& command, UnixTime now = 0) {
    hub.handle(member, command, now);
  }
  void line(MemberId member, std::string_view text) {
    Command command;
    REQUIRE(parse_line(text, command));
    hub.handle(member, command, 0);
  }
  // What the member has heard since the last look.
  std::string take(MemberId member) {
    std::string text;
    text.swap(heard[member]);
    return text;
  }

  LineDoor door;
  Hub hub;
  std::map<MemberId, std::string> heard;
  std::map<RoomId, std::set<MemberId>> rooms;
  std::set<MemberId> gone;
  std::string asked;  // "name password", of the last verify()

 private:
  void send_to(MemberId member, const Event& event) override {
    CHECK_FALSE(gone.contains(member));
    door.write(event, heard[member]);
  }
  void broadcast(RoomId room, MemberId except, const Event& event) override {
    for (const MemberId member : rooms[room]) {
      if (member != except) door.write(event, heard[member]);
    }
  }
  void entered(RoomId room, MemberId member) override { CHECK(rooms[room].insert(member).second); }
  void exited(RoomId room, MemberId member) override { CHECK(rooms[room].erase(member) == 1); }
  void verify(MemberId, std::string_view name, std::string_view password) override {
    asked = std::string(name) + " " + std::string(password);
  }
  void dismissed(MemberId member) override { gone.insert(member); }
};

}  // namespace tern::chat
