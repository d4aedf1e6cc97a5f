// Names that a password keeps for somebody, and what operators may.
#include <doctest/doctest.h>

#include <string>

#include "src/chat/hub/names.hpp"
#include "tests/unit/chat/hub_fixture.hpp"

using namespace tern::chat;

namespace {

// alice and root are reserved, root is an operator; bob and carol are in the lobby.
void fill(Stage& stage) {
  stage.hub.set_reserved_names({{"alice", "root"}, {"root"}});
  for (const MemberId member : {1, 2, 3}) stage.arrive(member, "m" + std::to_string(member));
  for (const MemberId member : {2, 3}) stage.line(member, "/join lobby");
  stage.heard.clear();
}

}  // namespace

TEST_CASE("chat names: a reserved name wants its password") {
  Stage stage;
  fill(stage);
  stage.line(2, "/nick Alice");
  CHECK(stage.take(2) == "!! Alice is reserved; if it is yours, write /nick Alice PASSWORD\n");
  CHECK(stage.asked.empty());
  stage.line(2, "/nick Alice open  sesame ");
  CHECK(stage.asked == "Alice open  sesame");
  CHECK(stage.hub.is_verifying(2));
  CHECK(stage.take(2).empty());
  stage.hub.verified(2, PasswordResult::right);
  CHECK_FALSE(stage.hub.is_verifying(2));
  CHECK(stage.take(2) == "-- you are Alice now\n");
  CHECK(stage.take(3) == "[lobby] -- m2 is now Alice\n");
  stage.line(2, "/nick alice");  // one's own, written otherwise
  CHECK(stage.take(2) == "-- you are alice now\n");
  stage.line(3, "/nick dave secret");
  CHECK(stage.take(3) ==
        "[lobby] -- Alice is now alice\n"
        "!! dave is not reserved and has no password; write /nick dave\n");
  stage.hub.verified(2, PasswordResult::right);  // nobody had asked
  stage.hub.verified(99, PasswordResult::right);
  CHECK(stage.heard[2].empty());
}

TEST_CASE("chat names: wrong passwords are told, and the third is the last") {
  Stage stage;
  fill(stage);
  for (int i = 0; i < 2; ++i) {
    stage.line(2, "/nick alice guess");
    stage.hub.verified(2, PasswordResult::wrong);
    CHECK(stage.take(2) == "!! that is not the password of alice\n");
  }
  stage.line(2, "/nick alice guess");
  stage.hub.verified(2, PasswordResult::busy);
  CHECK(stage.take(2) ==
        "!! too many passwords are being tried; try /nick alice again in a while\n");
  stage.line(2, "/nick alice guess");
  stage.hub.verified(2, PasswordResult::wrong);
  CHECK(stage.take(2) == "!! that makes 3 wrong passwords; goodbye\n");
  CHECK(stage.gone == std::set<MemberId>{2});
  CHECK(stage.take(3) ==
        "[lobby] -- m2 left the chat\n"
        "-- you moderate lobby now; /help kick and /help ban tell more\n");
  // Who has gone before the answer has gone.
  stage.line(3, "/nick alice guess");
  stage.hub.gone(3, PartReason::lost);
  stage.hub.verified(3, PasswordResult::right);
  CHECK(stage.heard[3].empty());
}

TEST_CASE("chat names: who has the password takes the name from a connection that had it") {
  Stage stage;
  fill(stage);
  for (const MemberId member : {2, 3}) {
    stage.line(member, "/nick alice sesame");
    stage.hub.verified(member, PasswordResult::right);
  }
  CHECK(stage.take(2) ==
        "-- you are alice now\n-- you are guest-4 now\n[lobby] -- m3 is now alice\n");
  CHECK(stage.take(3) ==
        "[lobby] -- m2 is now alice\n[lobby] -- alice is now guest-4\n-- you are alice now\n");
}

TEST_CASE("chat names: a name that becomes reserved is taken from who has not shown its password") {
  Stage stage;
  fill(stage);
  stage.line(2, "/nick alice sesame");
  stage.hub.verified(2, PasswordResult::right);
  stage.heard.clear();
  stage.hub.set_reserved_names({{"alice", "m3"}, {}});
  CHECK(stage.take(3) == "-- you are guest-4 now\n");
  CHECK(stage.take(2) == "[lobby] -- m3 is now guest-4\n");  // whose name it was stays
  stage.line(1, "/nick root");
  CHECK(stage.take(1) == "-- you are root now\n");
}

TEST_CASE("chat names: operators moderate every room, and are moderated by each other alone") {
  Stage stage;
  fill(stage);
  stage.line(1, "/join lobby");
  stage.heard.clear();
  stage.line(1, "/kick m3");
  CHECK(stage.take(1) == "!! that is for m2, who has been here for longest, and for operators\n");
  stage.line(1, "/nick root sesame");
  stage.hub.verified(1, PasswordResult::right);
  stage.heard.clear();
  stage.line(1, "/who");
  CHECK(stage.take(1) == "-- lobby: @m2 m3 @root\n");
  for (const char* line : {"/kick root", "/ban ROOT", "/mute root"}) {
    stage.line(2, line);
    CHECK(stage.take(2).ends_with("is an operator of this server; operators alone may do that\n"));
  }
  stage.line(1, "/mute m2");
  stage.line(1, "/kick m2");
  CHECK(stage.take(2) ==
        "[lobby] -- m2 was muted by root\n[lobby] -- m2 was kicked by root\n-- you left lobby\n");
  // A mute that was set before does not hold for who turns out to be one.
  stage.line(1, "/mute m3");
  stage.line(3, "/nick root sesame");
  stage.hub.verified(3, PasswordResult::right);
  stage.heard.clear();
  stage.line(3, "here I am");
  CHECK(stage.take(1) == "[lobby] root: here I am\n");
}

TEST_CASE("chat names: an operator's name that is not reserved is nobody's") {
  Stage stage;
  stage.hub.set_reserved_names({{}, {"root"}});
  stage.arrive(1, "first");
  stage.arrive(2, "root");
  for (const MemberId member : {1, 2}) stage.line(member, "/join lobby");
  stage.heard.clear();
  stage.line(2, "/kick first");
  CHECK(stage.take(2).starts_with("!! that is for first"));
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
