// The line door without a connection: bytes to lines, lines to commands, events to lines.
#include "src/chat/doors/lines/line_door.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "src/chat/doors/lines/command_table.hpp"

using namespace tern::chat;

namespace {

Command parsed(std::string_view line) {
  Command command;
  REQUIRE_MESSAGE(parse_line(line, command), line);
  return command;
}

std::string written(const Event& event) {
  std::string text;
  LineDoor().write(event, text);
  return text;
}

}  // namespace

TEST_CASE("chat lines: commands") {
  CHECK(parsed("hello there").kind == Command::Kind::say);
  CHECK(parsed(" hello ").text == " hello ");
  CHECK(parsed("//join me").text == "/join me");
  CHECK(parsed("exit").kind == Command::Kind::quit);
  CHECK(parsed("exit now").kind == Command::Kind::say);
  CHECK(parsed("/quit").kind == Command::Kind::quit);
  CHECK(parsed("/QUIT because").kind == Command::Kind::quit);
  CHECK(parsed("/nick  alice ").name == "alice");
  CHECK(parsed("/join\tlobby").name == "lobby");
  CHECK(parsed("/leave").kind == Command::Kind::leave);
  CHECK(parsed("/who lobby").name == "lobby");
  CHECK(parsed("/rooms").kind == Command::Kind::rooms);
  CHECK(parsed("/me waves  twice").text == "waves  twice");
  CHECK(parsed("/msg bob  how are you?").name == "bob");
  CHECK(parsed("/msg bob  how are you?").text == "how are you?");
  CHECK(parsed("/topic").text.empty());
  CHECK(parsed("/topic a b").text == "a b");
  CHECK(parsed("/history 12").count == 12);
  CHECK(parsed("/nick alice open  sesame").text == "open  sesame");
  CHECK(parsed("/kick bob").name == "bob");
  CHECK(parsed("/kick bob  too loud").text == "too loud");
  CHECK(parsed("/ban").kind == Command::Kind::ban);
  CHECK(parsed("/ban bob").name == "bob");
  CHECK(parsed("/unmute bob").kind == Command::Kind::unmute);
  Command none;
  CHECK_FALSE(parse_line("", none));
  CHECK_FALSE(parse_line(" \t ", none));
}

TEST_CASE("chat lines: what is wrong is answered with what would be right") {
  struct Row {
    std::string line;
    std::string answer;
  };
  for (const Row& row : {
           Row{"/jion lobby", "!! /jion is no command; /help lists them all\n"},
           Row{"/", "!! / is no command; /help lists them all\n"},
           Row{"/nick", "!! write /nick NAME [PASSWORD]\n"},
           Row{"/join", "!! write /join ROOM\n"},
           Row{"/msg bob", "!! write /msg NAME TEXT\n"},
           Row{"/me ", "!! write /me TEXT\n"},
           Row{"/leave a b", "!! write /leave [ROOM]\n"},
           Row{"/kick", "!! write /kick NAME [REASON]\n"},
           Row{"/ban a b", "!! write /ban [NAME]\n"},
           Row{"/unban", "!! write /unban NAME\n"},
           Row{"/unmute a b", "!! write /unmute NAME\n"},
           Row{"/history many", "!! write /history [COUNT]\n"},
           Row{"/history 99999999999999999999999", "!! write /history [COUNT]\n"},
           Row{"/help nonsense", "!! /nonsense is no command; /help lists them all\n"},
           Row{"a\xff", "!! that was not sent: no valid UTF-8 at byte 2; send UTF-8\n"},
           Row{"a\x1b[31m",
               "!! that was not sent: the control character U+001B at byte 2; send text alone\n"},
       }) {
    const Command command = parsed(row.line);
    CHECK(command.kind == Command::Kind::answer);
    CHECK(command.text == row.answer);
  }
  CHECK(too_long_line().text ==
        "!! that was not sent: a line has at most 4096 bytes; send it in parts\n");
  // A long word is not sent back whole, and not cut inside a character.
  const std::string answer = parsed("/" + std::string(39, 'x') + "\xe2\x82\xac!!").text;
  CHECK(answer == "!! /" + std::string(39, 'x') + "... is no command; /help lists them all\n");
}

TEST_CASE("chat lines: help names every command, and each one alone") {
  const std::string all = parsed("/help").text;
  for (const CommandRow& row : command_rows) {
    const std::string name(row.name);
    CHECK(all.find("-- /" + name) != std::string::npos);
    const std::string one = parsed("/help " + name).text;
    CHECK(one.starts_with("-- /" + name));
    CHECK(one.find('\n') == one.size() - 1);
    CHECK(parsed("/help /" + name).text == one);
  }
}

TEST_CASE("chat lines: events") {
  using Said = Event::Kind;
  CHECK(written({.kind = Said::said, .room = "lobby", .actor = "alice", .text = "hi"}) ==
        "[lobby] alice: hi\n");
  CHECK(written({.kind = Said::emoted, .room = "lobby", .actor = "alice", .text = "waves"}) ==
        "[lobby] * alice waves\n");
  CHECK(written({.kind = Said::whisper, .actor = "alice", .text = "hi"}) ==
        "(private) alice: hi\n");
  CHECK(written({.kind = Said::left,
                 .room = "lobby",
                 .actor = "alice",
                 .reason = PartReason::too_slow}) == "[lobby] -- alice left: too slow a reader\n");
  const Message noon{1'763'726'400, false, "alice", "hi"};
  const Message leap{951'827'696, true, "bob", "waves"};
  const std::array messages{&noon, &leap};
  CHECK(written({.kind = Said::history, .room = "lobby", .messages = messages}) ==
        "[lobby 2025-11-21T12:00:00Z] alice: hi\n[lobby 2000-02-29T12:34:56Z] * bob waves\n");
  const std::array<MemberSummary, 2> members{{{"alice", false}, {"bob", true}}};
  CHECK(written({.kind = Said::who, .room = "lobby", .count = 5, .members = members}) ==
        "-- lobby: alice @bob\n-- lobby: and 3 more\n");
  const std::array<std::string_view, 2> names{"alice", "bob"};
  CHECK(written({.kind = Said::bans, .room = "lobby", .names = names}) ==
        "-- banned from lobby: alice bob\n");
  CHECK(written({.kind = Said::mutes, .room = "lobby"}) == "-- nobody is muted in lobby\n");
  CHECK(written({.kind = Said::you_joined, .room = "lobby", .text = "tea", .count = 3}) ==
        "-- you are in lobby with 2 others; topic: tea\n");
}

TEST_CASE("chat lines: a long list of names is several lines") {
  const std::string name(32, 'n');
  const std::vector<MemberSummary> members(100, {name, false});
  const std::string text =
      written({.kind = Event::Kind::who, .room = "lobby", .count = 100, .members = members});
  std::size_t found = 0;
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 32)) {
    ++found;
  }
  CHECK(found == 100);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    CHECK(end - at <= 400);
    at = end + 1;
  }
}

TEST_CASE("chat lines: how long an answer may be") {
  for (const bool has_long_names : {false, true}) {
    HubLimits limits;
    if (has_long_names) limits = {.name_bytes_max = 200, .history_lines_max = 1000};
    if (has_long_names) limits.topic_bytes_max = 4096;
    const std::size_t most = answer_bytes_max(limits);
    const std::string name(limits.name_bytes_max, 'n');
    const std::string topic(limits.topic_bytes_max, 't');
    const Message message{0, true, name,
                          std::string(limits.history_bytes_max / limits.history_lines_max, 'x')};
    const std::vector<const Message*> messages(limits.history_lines_max, &message);
    const std::string history =
        written({.kind = Event::Kind::history, .room = name, .messages = messages});
    const std::string joined =
        written({.kind = Event::Kind::you_joined, .room = name, .text = topic, .count = 12345});
    CHECK(history.size() + joined.size() <= most);
    const std::vector<RoomSummary> rooms(limits.rooms_listed_max, {name, topic, 1'000'000'000});
    CHECK(written({.kind = Event::Kind::rooms, .count = 100'000, .rooms = rooms}).size() <= most);
    const std::vector<MemberSummary> members(limits.members_listed_max, {name, true});
    CHECK(written({.kind = Event::Kind::who, .room = name, .count = 1000, .members = members})
              .size() <= most);
    const std::vector<std::string_view> names(limits.bans_max, name);
    CHECK(written({.kind = Event::Kind::bans, .room = name, .names = names}).size() <= most);
    CHECK(most < 20 * (history.size() + 4096));  // and not just anything
  }
}

TEST_CASE("chat lines: every problem says something, in one line") {
  for (int i = 0; i < static_cast<int>(Problem::count); ++i) {
    const std::string text = written({.kind = Event::Kind::problem,
                                      .name = "x",
                                      .problem = static_cast<Problem>(i),
                                      .limit = 7});
    CHECK(text.starts_with("!! "));
    CHECK(text.find('\n') == text.size() - 1);
    CHECK(text.find_first_of("{}") == std::string::npos);
  }
  CHECK(written({.kind = Event::Kind::problem,
                 .name = "{limit}",
                 .problem = Problem::room_full,
                 .limit = 7}) == "!! {limit} is full: 7 members are in it; come again later\n");
}
