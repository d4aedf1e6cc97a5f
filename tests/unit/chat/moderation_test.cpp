// Who keeps order in a room, and what kicks, bans and mutes do.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/chat/hub_fixture.hpp"

using namespace tern::chat;

namespace {

// alice was first, then came bob and carol; nobody has heard anything yet.
void fill_rooms(HubFixture& fixture) {
  fixture.arrive(1, "alice");
  fixture.arrive(2, "bob");
  fixture.arrive(3, "carol");
  for (const MemberId member : {1, 2, 3}) fixture.line(member, "/join lobby");
  fixture.heard.clear();
}

}  // namespace

TEST_CASE("chat moderation: who is kicked leaves, with the reason, and may come again") {
  HubFixture fixture;
  fill_rooms(fixture);
  fixture.line(1, "/kick BOB too loud");
  CHECK(fixture.take(1) == "[lobby] -- bob was kicked by alice: too loud\n");
  CHECK(fixture.take(2) == "[lobby] -- bob was kicked by alice: too loud\n-- you left lobby\n");
  fixture.line(1, "peace");
  CHECK(fixture.take(2).empty());
  CHECK(fixture.take(3) == "[lobby] -- bob was kicked by alice: too loud\n[lobby] alice: peace\n");
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2).starts_with("-- you are in lobby with 2 others\n"));
  fixture.line(2, "/join attic");
  fixture.line(2, "/join lobby");
  fixture.heard.clear();
  fixture.line(1, "/kick bob");
  CHECK(fixture.take(2) ==
        "[lobby] -- bob was kicked by alice\n-- you left lobby; you talk in attic now\n");
}

TEST_CASE("chat moderation: only who has been there for longest may, and is told so") {
  HubFixture fixture;
  fill_rooms(fixture);
  for (const char* line :
       {"/kick carol", "/ban carol", "/unban carol", "/mute carol", "/unmute carol"}) {
    fixture.line(2, line);
    CHECK(fixture.take(2) ==
          "!! that is for alice, who has been here for longest, and for operators\n");
  }
  CHECK(fixture.heard[3].empty());
  fixture.line(1, "/who");
  CHECK(fixture.take(1) == "-- lobby: @alice bob carol\n");
  fixture.line(1, "/leave");
  CHECK(fixture.take(1) == "-- you left lobby\n");
  CHECK(fixture.take(2) ==
        "[lobby] -- alice left\n-- you moderate lobby now; /help kick and /help ban tell more\n");
  CHECK(fixture.take(3) == "[lobby] -- alice left\n");
  fixture.line(1, "/join lobby");  // who comes again is the last
  fixture.heard.clear();
  fixture.line(1, "/kick bob");
  CHECK(fixture.take(1) ==
        "!! that is for bob, who has been here for longest, and for operators\n");
  fixture.hub.gone(2, PartReason::lost);
  CHECK(
      fixture.take(3).ends_with("-- you moderate lobby now; /help kick and /help ban tell more\n"));
  // Who leaves last hands nothing on; the next one begins anew.
  fixture.line(1, "/leave");
  fixture.line(3, "/leave");
  fixture.heard.clear();
  fixture.line(1, "/join lobby");
  CHECK(fixture.take(1) == "-- you are in lobby, alone; you moderate it\n");
  fixture.line(1, "/mute");
  CHECK(fixture.take(1) == "-- nobody is muted in lobby\n");
}

TEST_CASE("chat moderation: a ban holds for the name, and for who had it under any") {
  HubFixture fixture;
  fill_rooms(fixture);
  fixture.line(1, "/ban Bob");
  CHECK(fixture.take(2) == "[lobby] -- bob was banned by alice\n-- you left lobby\n");
  CHECK(fixture.take(3) == "[lobby] -- bob was banned by alice\n");
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2) == "!! you are banned from lobby; /rooms lists others\n");
  fixture.line(2, "/nick robert");
  fixture.heard.clear();
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2) == "!! you are banned from lobby; /rooms lists others\n");
  fixture.arrive(4, "bob");
  fixture.line(4, "/join lobby");
  CHECK(fixture.take(4) == "!! you are banned from lobby; /rooms lists others\n");
  fixture.line(4, "/join attic");  // a ban is the room's own
  CHECK(fixture.take(4) == "-- you are in attic, alone; you moderate it\n");
  fixture.heard.clear();
  fixture.line(3, "/ban");
  CHECK(fixture.take(3) == "-- banned from lobby: bob\n");
  fixture.line(1, "/unban robert");
  CHECK(fixture.take(1) == "[lobby] -- robert was unbanned by alice\n");
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2).starts_with("-- you are in lobby"));
}

TEST_CASE("chat moderation: bans outlive who set them, and an empty room") {
  HubFixture fixture;
  fill_rooms(fixture);
  fixture.line(1, "/ban bob");
  fixture.hub.gone(1, PartReason::quit);
  fixture.line(3, "/leave");
  fixture.line(3, "/join lobby");
  fixture.heard.clear();
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2) == "!! you are banned from lobby; /rooms lists others\n");
  fixture.line(3, "/unban bob");
  fixture.line(2, "/join lobby");
  CHECK(fixture.take(2).starts_with("-- you are in lobby"));
}

TEST_CASE("chat moderation: who is muted listens, and may whisper") {
  HubFixture fixture;
  fill_rooms(fixture);
  fixture.line(1, "/mute bob");
  CHECK(fixture.take(2) == "[lobby] -- bob was muted by alice\n");
  fixture.heard.clear();
  for (const char* line : {"hello", "/me waves", "/topic mine"}) {
    fixture.line(2, line);
    CHECK(fixture.take(2) ==
          "!! you are muted in lobby: you may listen; ask who moderates it, with an @ in /who\n");
  }
  fixture.line(2, "/nick robert");
  fixture.heard.clear();
  fixture.line(2, "hello");
  CHECK(fixture.take(2).starts_with("!! you are muted"));
  CHECK(fixture.heard[1].empty());
  CHECK(fixture.hub.history("lobby")->empty());
  fixture.line(2, "/topic");
  CHECK(fixture.take(2) == "-- lobby has no topic; /topic TEXT sets one\n");
  fixture.line(2, "/msg alice sorry");
  CHECK(fixture.take(1) == "(private) robert: sorry\n");
  fixture.line(1, "/mute");
  CHECK(fixture.take(1) == "-- muted in lobby: bob\n");
  fixture.line(1, "/unmute bob");
  CHECK(fixture.take(1) == "[lobby] -- bob was unmuted by alice\n");
  fixture.line(2, "thanks");
  CHECK(fixture.take(1) == "[lobby] robert: thanks\n");
}

TEST_CASE("chat moderation: what cannot be done is told") {
  HubLimits limits;
  limits.bans_max = 2;
  HubFixture fixture(limits);
  fill_rooms(fixture);
  fixture.arrive(4, "dave");
  struct Row {
    const char* line;
    const char* answer;
  };
  for (const Row& row : {
           Row{"/kick dave", "!! dave is not in this room; /who lists who is\n"},
           Row{"/kick nobody", "!! nobody is not in this room; /who lists who is\n"},
           Row{"/kick alice", "!! that is your own name; /leave leaves the room\n"},
           Row{"/ban alice", "!! that is your own name; /leave leaves the room\n"},
           Row{"/mute alice", "!! that is your own name; /leave leaves the room\n"},
           Row{"/ban no:name",
               "!! a name has letters, digits, - and _, a letter first, at most 32 of them; try "
               "/nick alice\n"},
           Row{"/unban bob",
               "!! bob is not on the list; /ban and /mute without a name show them\n"},
           Row{"/ban x", "[lobby] -- x was banned by alice\n"},
           Row{"/ban X", "!! X is that already\n"},
           Row{"/ban y", "[lobby] -- y was banned by alice\n"},
           Row{"/ban z", "!! the list holds 2 names already; take one off before\n"},
           Row{"/mute z", "[lobby] -- z was muted by alice\n"},
           Row{"/unmute y", "!! y is not on the list; /ban and /mute without a name show them\n"},
       }) {
    fixture.line(1, row.line);
    CHECK(fixture.take(1) == row.answer);
  }
  fixture.line(4, "/kick alice");
  CHECK(fixture.take(4) == "!! you are in no room; /join ROOM enters one, /rooms lists them\n");
}
