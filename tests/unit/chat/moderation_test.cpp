// Who keeps order in a room, and what kicks, bans and mutes do.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/chat/hub_fixture.hpp"

using namespace tern::chat;

namespace {

// alice was first, then came bob and carol; nobody has heard anything yet.
void fill(Stage& stage) {
  stage.arrive(1, "alice");
  stage.arrive(2, "bob");
  stage.arrive(3, "carol");
  for (const MemberId member : {1, 2, 3}) stage.line(member, "/join lobby");
  stage.heard.clear();
}

}  // namespace

TEST_CASE("chat moderation: who is kicked leaves, with the reason, and may come again") {
  Stage stage;
  fill(stage);
  stage.line(1, "/kick BOB too loud");
  CHECK(stage.take(1) == "[lobby] -- bob was kicked by alice: too loud\n");
  CHECK(stage.take(2) == "[lobby] -- bob was kicked by alice: too loud\n-- you left lobby\n");
  stage.line(1, "peace");
  CHECK(stage.take(2).empty());
  CHECK(stage.take(3) == "[lobby] -- bob was kicked by alice: too loud\n[lobby] alice: peace\n");
  stage.line(2, "/join lobby");
  CHECK(stage.take(2).starts_with("-- you are in lobby with 2 others\n"));
  stage.line(2, "/join attic");
  stage.line(2, "/join lobby");
  stage.heard.clear();
  stage.line(1, "/kick bob");
  CHECK(stage.take(2) ==
        "[lobby] -- bob was kicked by alice\n-- you left lobby; you talk in attic now\n");
}

TEST_CASE("chat moderation: only who has been there for longest may, and is told so") {
  Stage stage;
  fill(stage);
  for (const char* line :
       {"/kick carol", "/ban carol", "/unban carol", "/mute carol", "/unmute carol"}) {
    stage.line(2, line);
    CHECK(stage.take(2) ==
          "!! that is for alice, who has been here for longest, and for operators\n");
  }
  CHECK(stage.heard[3].empty());
  stage.line(1, "/who");
  CHECK(stage.take(1) == "-- lobby: @alice bob carol\n");
  stage.line(1, "/leave");
  CHECK(stage.take(1) == "-- you left lobby\n");
  CHECK(stage.take(2) ==
        "[lobby] -- alice left\n-- you moderate lobby now; /help kick and /help ban tell more\n");
  CHECK(stage.take(3) == "[lobby] -- alice left\n");
  stage.line(1, "/join lobby");  // who comes again is the last
  stage.heard.clear();
  stage.line(1, "/kick bob");
  CHECK(stage.take(1) == "!! that is for bob, who has been here for longest, and for operators\n");
  stage.hub.gone(2, PartReason::lost);
  CHECK(stage.take(3).ends_with("-- you moderate lobby now; /help kick and /help ban tell more\n"));
  // Who leaves last hands nothing on; the next one begins anew.
  stage.line(1, "/leave");
  stage.line(3, "/leave");
  stage.heard.clear();
  stage.line(1, "/join lobby");
  CHECK(stage.take(1) == "-- you are in lobby, alone; you moderate it\n");
  stage.line(1, "/mute");
  CHECK(stage.take(1) == "-- nobody is muted in lobby\n");
}

TEST_CASE("chat moderation: a ban holds for the name, and for who had it under any") {
  Stage stage;
  fill(stage);
  stage.line(1, "/ban Bob");
  CHECK(stage.take(2) == "[lobby] -- bob was banned by alice\n-- you left lobby\n");
  CHECK(stage.take(3) == "[lobby] -- bob was banned by alice\n");
  stage.line(2, "/join lobby");
  CHECK(stage.take(2) == "!! you are banned from lobby; /rooms lists others\n");
  stage.line(2, "/nick robert");
  stage.heard.clear();
  stage.line(2, "/join lobby");
  CHECK(stage.take(2) == "!! you are banned from lobby; /rooms lists others\n");
  stage.arrive(4, "bob");
  stage.line(4, "/join lobby");
  CHECK(stage.take(4) == "!! you are banned from lobby; /rooms lists others\n");
  stage.line(4, "/join attic");  // a ban is the room's own
  CHECK(stage.take(4) == "-- you are in attic, alone; you moderate it\n");
  stage.heard.clear();
  stage.line(3, "/ban");
  CHECK(stage.take(3) == "-- banned from lobby: bob\n");
  stage.line(1, "/unban robert");
  CHECK(stage.take(1) == "[lobby] -- robert was unbanned by alice\n");
  stage.line(2, "/join lobby");
  CHECK(stage.take(2).starts_with("-- you are in lobby"));
}

TEST_CASE("chat moderation: bans outlive who set them, and an empty room") {
  Stage stage;
  fill(stage);
  stage.line(1, "/ban bob");
  stage.hub.gone(1, PartReason::quit);
  stage.line(3, "/leave");
  stage.line(3, "/join lobby");
  stage.heard.clear();
  stage.line(2, "/join lobby");
  CHECK(stage.take(2) == "!! you are banned from lobby; /rooms lists others\n");
  stage.line(3, "/unban bob");
  stage.line(2, "/join lobby");
  CHECK(stage.take(2).starts_with("-- you are in lobby"));
}

TEST_CASE("chat moderation: who is muted listens, and may whisper") {
  Stage stage;
  fill(stage);
  stage.line(1, "/mute bob");
  CHECK(stage.take(2) == "[lobby] -- bob was muted by alice\n");
  stage.heard.clear();
  for (const char* line : {"hello", "/me waves", "/topic mine"}) {
    stage.line(2, line);
    CHECK(stage.take(2) ==
          "!! you are muted in lobby: you may listen; ask who moderates it, with an @ in /who\n");
  }
  stage.line(2, "/nick robert");
  stage.heard.clear();
  stage.line(2, "hello");
  CHECK(stage.take(2).starts_with("!! you are muted"));
  CHECK(stage.heard[1].empty());
  CHECK(stage.hub.history("lobby")->empty());
  stage.line(2, "/topic");
  CHECK(stage.take(2) == "-- lobby has no topic; /topic TEXT sets one\n");
  stage.line(2, "/msg alice sorry");
  CHECK(stage.take(1) == "(private) robert: sorry\n");
  stage.line(1, "/mute");
  CHECK(stage.take(1) == "-- muted in lobby: bob\n");
  stage.line(1, "/unmute bob");
  CHECK(stage.take(1) == "[lobby] -- bob was unmuted by alice\n");
  stage.line(2, "thanks");
  CHECK(stage.take(1) == "[lobby] robert: thanks\n");
}

TEST_CASE("chat moderation: what cannot be done is told") {
  HubLimits limits;
  limits.bans_max = 2;
  Stage stage(limits);
  fill(stage);
  stage.arrive(4, "dave");
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
    stage.line(1, row.line);
    CHECK(stage.take(1) == row.answer);
  }
  stage.line(4, "/kick alice");
  CHECK(stage.take(4) == "!! you are in no room; /join ROOM enters one, /rooms lists them\n");
}
