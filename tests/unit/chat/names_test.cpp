// Names that a password keeps for somebody, and what operators may.
#include <doctest/doctest.h>

#include <string>

#include "src/chat/hub/names.hpp"
#include "tests/unit/chat/hub_fixture.hpp"

using namespace tern::chat;

namespace {

// alice and root are reserved, root is an operator; bob and carol are in the lobby.
void enter_all(HubFixture& fixture) {
  fixture.hub.set_reserved_names({{"alice", "root"}, {"root"}});
  for (const MemberId member : {1, 2, 3}) fixture.arrive(member, "m" + std::to_string(member));
  for (const MemberId member : {2, 3}) fixture.line(member, "/join lobby");
  fixture.heard.clear();
}

}  // namespace

TEST_CASE("chat names: a reserved name wants its password") {
  HubFixture fixture;
  enter_all(fixture);
  fixture.line(2, "/nick Alice");
  CHECK(fixture.take(2) == "!! Alice is reserved; if it is yours, write /nick Alice PASSWORD\n");
  CHECK(fixture.asked.empty());
  fixture.line(2, "/nick Alice open  sesame ");
  CHECK(fixture.asked == "Alice open  sesame");
  CHECK(fixture.hub.is_verifying(2));
  CHECK(fixture.take(2).empty());
  fixture.hub.verified(2, PasswordResult::right);
  CHECK_FALSE(fixture.hub.is_verifying(2));
  CHECK(fixture.take(2) == "-- you are Alice now\n");
  CHECK(fixture.take(3) == "[lobby] -- m2 is now Alice\n");
  fixture.line(2, "/nick alice");  // one's own, written otherwise
  CHECK(fixture.take(2) == "-- you are alice now\n");
  fixture.line(3, "/nick dave secret");
  CHECK(fixture.take(3) ==
        "[lobby] -- Alice is now alice\n"
        "!! dave is not reserved and has no password; write /nick dave\n");
  fixture.hub.verified(2, PasswordResult::right);  // nobody had asked
  fixture.hub.verified(99, PasswordResult::right);
  CHECK(fixture.heard[2].empty());
}

TEST_CASE("chat names: wrong passwords are told, and the third is the last") {
  HubFixture fixture;
  enter_all(fixture);
  for (int i = 0; i < 2; ++i) {
    fixture.line(2, "/nick alice guess");
    fixture.hub.verified(2, PasswordResult::wrong);
    CHECK(fixture.take(2) == "!! that is not the password of alice\n");
  }
  fixture.line(2, "/nick alice guess");
  fixture.hub.verified(2, PasswordResult::busy);
  CHECK(fixture.take(2) ==
        "!! too many passwords are being tried; try /nick alice again in a while\n");
  fixture.line(2, "/nick alice guess");
  fixture.hub.verified(2, PasswordResult::wrong);
  CHECK(fixture.take(2) == "!! that makes 3 wrong passwords; goodbye\n");
  CHECK(fixture.gone == std::set<MemberId>{2});
  CHECK(fixture.take(3) ==
        "[lobby] -- m2 left the chat\n"
        "-- you moderate lobby now; /help kick and /help ban tell more\n");
  // Who has gone before the answer has gone.
  fixture.line(3, "/nick alice guess");
  fixture.hub.gone(3, PartReason::lost);
  fixture.hub.verified(3, PasswordResult::right);
  CHECK(fixture.heard[3].empty());
}

TEST_CASE("chat names: who has the password takes the name from a connection that had it") {
  HubFixture fixture;
  enter_all(fixture);
  for (const MemberId member : {2, 3}) {
    fixture.line(member, "/nick alice sesame");
    fixture.hub.verified(member, PasswordResult::right);
  }
  CHECK(fixture.take(2) ==
        "-- you are alice now\n-- you are guest-4 now\n[lobby] -- m3 is now alice\n");
  CHECK(fixture.take(3) ==
        "[lobby] -- m2 is now alice\n[lobby] -- alice is now guest-4\n-- you are alice now\n");
}

TEST_CASE("chat names: a name that becomes reserved is taken from who has not shown its password") {
  HubFixture fixture;
  enter_all(fixture);
  fixture.line(2, "/nick alice sesame");
  fixture.hub.verified(2, PasswordResult::right);
  fixture.heard.clear();
  fixture.hub.set_reserved_names({{"alice", "m3"}, {}});
  CHECK(fixture.take(3) == "-- you are guest-4 now\n");
  CHECK(fixture.take(2) == "[lobby] -- m3 is now guest-4\n");  // whose name it was stays
  fixture.line(1, "/nick root");
  CHECK(fixture.take(1) == "-- you are root now\n");
}

TEST_CASE("chat names: operators moderate every room, and are moderated by each other alone") {
  HubFixture fixture;
  enter_all(fixture);
  fixture.line(1, "/join lobby");
  fixture.heard.clear();
  fixture.line(1, "/kick m3");
  CHECK(fixture.take(1) == "!! that is for m2, who has been here for longest, and for operators\n");
  fixture.line(1, "/nick root sesame");
  fixture.hub.verified(1, PasswordResult::right);
  fixture.heard.clear();
  fixture.line(1, "/who");
  CHECK(fixture.take(1) == "-- lobby: @m2 m3 @root\n");
  for (const char* line : {"/kick root", "/ban ROOT", "/mute root"}) {
    fixture.line(2, line);
    CHECK(
        fixture.take(2).ends_with("is an operator of this server; operators alone may do that\n"));
  }
  fixture.line(1, "/mute m2");
  fixture.line(1, "/kick m2");
  CHECK(fixture.take(2) ==
        "[lobby] -- m2 was muted by root\n[lobby] -- m2 was kicked by root\n-- you left lobby\n");
  // A mute that was set before does not hold for who turns out to be one.
  fixture.line(1, "/mute m3");
  fixture.line(3, "/nick root sesame");
  fixture.hub.verified(3, PasswordResult::right);
  fixture.heard.clear();
  fixture.line(3, "here I am");
  CHECK(fixture.take(1) == "[lobby] root: here I am\n");
}

TEST_CASE("chat names: an operator's name that is not reserved is nobody's") {
  HubFixture fixture;
  fixture.hub.set_reserved_names({{}, {"root"}});
  fixture.arrive(1, "first");
  fixture.arrive(2, "root");
  for (const MemberId member : {1, 2}) fixture.line(member, "/join lobby");
  fixture.heard.clear();
  fixture.line(2, "/kick first");
  CHECK(fixture.take(2).starts_with("!! that is for first"));
}

TEST_CASE("chat names: what is one") {
  CHECK(is_name("a", 32));
  CHECK(is_name("Alice_2-x", 32));
  CHECK(is_name(std::string(32, 'a'), 32));
  for (const std::string name : {"", "2a", "-a", "_", "a b", "a:", "a.b", "gr\xc3\xbcn", "[a]"}) {
    CHECK_FALSE_MESSAGE(is_name(name, 32), name);
  }
  CHECK_FALSE(is_name(std::string(33, 'a'), 32));
  CHECK(folded("AlIce-Z_9") == "alice-z_9");
}
