// The hub without any door: what it tells to whom, in which order, and what it refuses.
#include "src/chat/hub/hub.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/unit/chat/hub_fixture.hpp"

using namespace tern::chat;
using Kind = Command::Kind;

TEST_CASE("chat hub: what is said in a room goes to everyone in it but the sender") {
  HubFixture fixture;
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  fixture.arrive(3, "carol");
  for (const MemberId member : {1, 2}) fixture.line(member, "/join lobby");
  fixture.line(3, "/join kitchen");
  fixture.heard.clear();
  fixture.line(1, "hello");
  fixture.line(2, "/me waves");
  CHECK(fixture.take(1) == "[lobby] * bob waves\n");
  CHECK(fixture.take(2) == "[lobby] alice: hello\n");
  CHECK(fixture.take(3).empty());
}

TEST_CASE("chat hub: a guest is welcomed, and no guest's name comes again") {
  HubFixture fixture;
  fixture.hub.arrive(1);
  CHECK(fixture.take(1) ==
        "-- welcome, you are guest-1; /join ROOM enters a room, /help lists the commands\n");
  fixture.hub.gone(1, PartReason::lost);
  fixture.hub.arrive(2);
  CHECK(fixture.take(2).find("guest-2;") != std::string::npos);
  fixture.line(2, "/nick guest-1");
  CHECK(fixture.take(2) ==
        "!! names that begin with guest- are given by the server; choose another one\n");
}

TEST_CASE("chat hub: names are unique without regard to case, and are told to those around") {
  HubFixture fixture;
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  for (const MemberId member : {1, 2}) fixture.line(member, "/join lobby");
  fixture.heard.clear();
  fixture.line(2, "/nick ALICE");
  CHECK(fixture.take(2) == "!! ALICE is somebody else's name; choose another one\n");
  fixture.line(1, "/nick Alice");  // one's own, written otherwise
  CHECK(fixture.take(1) == "-- you are Alice now\n");
  CHECK(fixture.take(2) == "[lobby] -- alice is now Alice\n");
  fixture.line(1, "/nick anna");
  fixture.line(2, "/nick alice");
  CHECK(fixture.take(2).ends_with("-- you are alice now\n"));
  fixture.line(2, "/nick no:colon");
  CHECK(fixture.take(2).starts_with("!! a name has letters"));
}

TEST_CASE("chat hub: rooms are joined, talked in and left") {
  HubFixture fixture;
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  fixture.line(1, "nobody hears this");
  CHECK(fixture.take(1) == "!! you are in no room; /join ROOM enters one, /rooms lists them\n");
  fixture.line(1, "/join Lobby");
  CHECK(fixture.take(1) == "-- you are in Lobby, alone; you moderate it\n");
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(1) == "[Lobby] -- bob joined\n");
  CHECK(fixture.take(2) == "-- you are in Lobby with 1 other\n");
  fixture.line(1, "/join kitchen");
  fixture.line(1, "/join lobby");  // already there: it is talked in again
  CHECK(fixture.take(1) ==
        "-- you are in kitchen, alone; you moderate it\n-- you talk in Lobby now\n");
  fixture.line(1, "back");
  CHECK(fixture.take(2) == "[Lobby] alice: back\n");
  fixture.line(1, "/leave");
  CHECK(fixture.take(1) == "-- you left Lobby; you talk in kitchen now\n");
  CHECK(fixture.take(2).starts_with("[Lobby] -- alice left\n"));
  fixture.line(2, "anybody?");
  CHECK(fixture.take(1).empty());
  fixture.line(1, "/leave lobby");
  CHECK(fixture.take(1) == "!! you are not in lobby; /join lobby enters it\n");
  fixture.line(1, "/leave kitchen");
  CHECK(fixture.take(1) == "-- you left kitchen\n");
}

TEST_CASE("chat hub: whispers, topics and lists") {
  HubFixture fixture;
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  fixture.line(1, "/msg BOB psst");
  CHECK(fixture.take(1) == "-- sent to bob\n");
  CHECK(fixture.take(2) == "(private) alice: psst\n");
  fixture.line(1, "/msg dave psst");
  CHECK(fixture.take(1) == "!! nobody is called dave; /who lists the names in your room\n");
  fixture.line(1, "/msg alice note");
  CHECK(fixture.take(1) == "(private) alice: note\n");
  fixture.line(1, "/rooms");
  CHECK(fixture.take(1) == "-- nobody is in any room; /join ROOM makes one\n");
  fixture.line(1, "/join lobby");
  fixture.line(2, "/join lobby");
  fixture.line(2, "/join attic");
  fixture.heard.clear();
  fixture.line(1, "/topic");
  CHECK(fixture.take(1) == "-- lobby has no topic; /topic TEXT sets one\n");
  fixture.line(1, "/topic tea at five");
  CHECK(fixture.take(1) == "[lobby] -- alice set the topic: tea at five\n");
  CHECK(fixture.take(2) == "[lobby] -- alice set the topic: tea at five\n");
  fixture.line(1, "/rooms");
  CHECK(fixture.take(1) == "-- lobby (2): tea at five\n-- attic (1)\n");
  fixture.line(1, "/who");
  fixture.line(1, "/who attic");
  fixture.line(1, "/who cellar");
  CHECK(fixture.take(1) ==
        "-- lobby: @alice bob\n-- attic: @bob\n"
        "!! there is no room cellar; /rooms lists them\n");
}

TEST_CASE("chat hub: who joins is told what was said last, and /history tells more") {
  HubLimits limits;
  limits.history_lines_max = 4;
  limits.replay_lines_max = 2;
  limits.history_bytes_max = 10;
  HubFixture fixture(limits);
  fixture.arrive(1, "alice");
  fixture.line(1, "/join lobby");
  for (const char* text : {"1", "2", "3", "4", "5"}) {
    fixture.command(1, {.kind = Kind::say, .text = text}, 60);
  }
  fixture.arrive(2, "bob");
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2) ==
        "-- you are in lobby with 1 other\n[lobby 1970-01-01T00:01:00Z] alice: 4\n"
        "[lobby 1970-01-01T00:01:00Z] alice: 5\n");
  fixture.line(2, "/history");
  const std::string all = fixture.take(2);
  CHECK(std::count(all.begin(), all.end(), '\n') == 4);
  fixture.line(2, "/history 1");
  CHECK(fixture.take(2) == "[lobby 1970-01-01T00:01:00Z] alice: 5\n");
  // Bytes count as well as lines; the last line always stays.
  fixture.command(1, {.kind = Kind::say, .text = "123456789"}, 0);
  CHECK(fixture.hub.history("lobby")->size() == 2);
  fixture.command(1, {.kind = Kind::say, .text = "1234567890123"}, 0);
  CHECK(fixture.hub.history("lobby")->size() == 1);
  CHECK(fixture.hub.history_bytes() == 13);
}

TEST_CASE("chat hub: who goes is told to every room, and is heard of no more") {
  HubFixture fixture;
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  for (const MemberId member : {1, 2}) {
    fixture.line(member, "/join lobby");
    fixture.line(member, "/join attic");
  }
  fixture.heard.clear();
  fixture.line(1, "exit");
  CHECK(fixture.take(1) == "-- goodbye\n");
  CHECK(fixture.gone == std::set<MemberId>{1});
  const std::string told = fixture.take(2);
  CHECK(told.starts_with("[attic] -- alice left the chat\n"));
  CHECK(told.find("[lobby] -- alice left the chat\n") != std::string::npos);
  fixture.line(1, "too late");
  fixture.hub.gone(1, PartReason::lost);
  CHECK(fixture.heard[2].empty());
  CHECK(fixture.hub.members() == 1);
  fixture.arrive(3, "alice");  // the name is free again
  fixture.hub.gone(2, PartReason::flooding);
  CHECK(fixture.hub.members() == 1);
}

TEST_CASE("chat hub: limits are told") {
  HubLimits limits;
  limits.members_max = 3;
  limits.joins_max = 2;
  limits.room_members_max = 2;
  limits.rooms_max = 3;
  limits.topic_bytes_max = 5;
  HubFixture fixture(limits);
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  fixture.arrive(3, "carol");
  fixture.hub.arrive(4);
  CHECK(fixture.take(4) == "!! the server is full: 3 members are here; come again later\n");
  CHECK(fixture.gone == std::set<MemberId>{4});
  for (const MemberId member : {1, 2}) fixture.line(member, "/join lobby");
  fixture.heard.clear();
  fixture.line(3, "/join lobby");
  CHECK(fixture.take(3) == "!! lobby is full: 2 members are in it; come again later\n");
  fixture.line(1, "/topic 123456");
  CHECK(fixture.take(1) == "!! a topic has at most 5 bytes; write a shorter one\n");
  fixture.line(1, "/join b");
  fixture.heard.clear();
  fixture.line(1, "/join c");
  CHECK(fixture.take(1) == "!! you are in 2 rooms already; /leave ROOM leaves one\n");
  fixture.line(3, "/join 9lives");
  CHECK(fixture.take(3).starts_with("!! a room's name has letters"));
  fixture.line(3, "/join c");
  fixture.heard.clear();
  fixture.line(3, "/join d");
  CHECK(fixture.take(3) == "!! there are 3 rooms already; /rooms lists some to join\n");
  fixture.line(1, "/leave b");  // an empty room makes place
  fixture.heard.clear();
  fixture.line(3, "/join d");
  CHECK(fixture.take(3) == "-- you are in d, alone; you moderate it\n");
  CHECK(fixture.hub.rooms() == 3);
  CHECK(fixture.hub.history("b") == nullptr);
}

TEST_CASE("chat hub: an empty room keeps its topic and history") {
  HubFixture fixture;
  fixture.arrive(1, "alice");
  fixture.line(1, "/join lobby");
  fixture.line(1, "/topic tea");
  fixture.line(1, "hello");
  fixture.line(1, "/leave");
  fixture.heard.clear();
  fixture.line(1, "/join lobby");
  CHECK(fixture.take(1) ==
        "-- you are in lobby, alone; you moderate it; topic: tea\n[lobby 1970-01-01T00:00:00Z] "
        "alice: hello\n");
}

TEST_CASE("chat hub: ten thousand joins leave nothing behind but the rooms that are allowed") {
  HubLimits limits;
  limits.rooms_max = 100;
  limits.joins_max = 1;
  HubFixture fixture(limits);
  fixture.arrive(1, "alice");
  for (int i = 0; i < 10'000; ++i) {
    fixture.command(1, {.kind = Kind::join, .name = "room" + std::to_string(i)});
    fixture.command(1, {.kind = Kind::say, .text = "here I am"});
    fixture.command(1, {.kind = Kind::leave});
  }
  CHECK(fixture.hub.rooms() == 100);
  CHECK(fixture.hub.history_bytes() == 100 * 9);
}
