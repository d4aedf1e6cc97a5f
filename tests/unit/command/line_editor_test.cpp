// A line being typed: keys, earlier lines, and what a terminal shows.
#include "tools/tern/connect/line_editor.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/case.hpp"

using tern::tool::columns_of;
using tern::tool::LineEditor;
using Got = LineEditor::Got;

namespace {

// The line that the keys make.
std::string typed(std::string_view keys) {
  LineEditor editor("");
  editor.feed(keys);
  editor.feed("\n");
  std::string line;
  REQUIRE(editor.next(line) == Got::line);
  return line;
}

}  // namespace

TEST_CASE("line editor: keys") {
  CHECK(typed("hello") == "hello");
  CHECK(typed("helo\x1b[Dl") == "hello");          // left
  CHECK(typed("ello\x1b[Hh\x1b[F!") == "hello!");  // Home, End
  CHECK(typed("ello\x1bOHh") == "hello");
  CHECK(typed("hello\x01\x1b[3~") == "ello");  // Ctrl-A, Delete
  CHECK(typed("hellp\x7fo") == "hello");       // Backspace
  CHECK(typed("\x7f\x1b[D\x1b[C\x1b[3~x") == "x");
  CHECK(typed("one two  \x17"
              "three") == "one three");  // Ctrl-W
  CHECK(typed("one two\x1b[D\x15"
              "x") == "xo");               // Ctrl-U
  CHECK(typed("one\x01\x06\x0b") == "o");  // Ctrl-A, Ctrl-F, Ctrl-K
  CHECK(typed("a\tb\x1b[5~\x1bx\x07"
              "c") == "a bc");                             // others are nothing
  CHECK(typed("\xc3\xbc\xe2\x82\xac\x7f") == "\xc3\xbc");  // characters, not bytes
  CHECK(typed("\xff\xc3x\xf0\x9f\x98\x80") == "x\xf0\x9f\x98\x80");
  CHECK(typed("ab\x1b[1;5D.") == "a.b");  // with a modifier
}

TEST_CASE("line editor: keys in any pieces") {
  tern::test::Random random(tern::test::test_seed());
  const std::string keys = "h\xc3\xbcllo\x1b[D\x1b[3~\x1b[1~>\n";
  for (int round = 0; round < 100; ++round) {
    LineEditor editor("");
    std::string line;
    Got got = Got::more;
    for (std::size_t at = 0; at < keys.size();) {
      REQUIRE(got == Got::more);
      const std::size_t step = 1 + random.below(4);
      editor.feed(std::string_view(keys).substr(at, step));
      got = editor.next(line);
      at += step;
    }
    REQUIRE(got == Got::line);
    CHECK(line == ">h\xc3\xbcll");
  }
}

TEST_CASE("line editor: Ctrl-D ends in an empty line, and deletes in another") {
  LineEditor editor("");
  std::string line;
  editor.feed("ab\x01\x04");
  CHECK(editor.next(line) == Got::more);
  editor.feed("\x04\x04");
  CHECK(editor.next(line) == Got::end);
}

TEST_CASE("line editor: earlier lines") {
  LineEditor editor("");
  std::string line;
  const auto enter = [&](const std::string& keys) {
    editor.feed(keys + "\n");
    REQUIRE(editor.next(line) == Got::line);
    editor.remember(line);
    return line;
  };
  const std::string up = "\x1b[A";
  const std::string down = "\x1b[B";
  CHECK(enter(up + down + "one") == "one");
  CHECK(enter("two") == "two");
  CHECK(enter("two") == "two");  // remembered once
  CHECK(enter(up + up) == "one");
  CHECK(enter(up + up + "!") == "two!");
  CHECK(enter("draft" + up + down) == "draft");
  CHECK(enter(up + up + up + up + up + up + up) == "one");  // there is none before
  for (std::size_t i = 0; i < LineEditor::lines_max + 10; ++i) editor.remember(std::to_string(i));
  std::string all_the_way;
  for (std::size_t i = 0; i < LineEditor::lines_max + 10; ++i) all_the_way += up;
  CHECK(enter(all_the_way) == "10");
  CHECK(typed(std::string(LineEditor::characters_max + 5, 'x')).size() ==
        LineEditor::characters_max);
}

TEST_CASE("line editor: what is shown fits in one row") {
  LineEditor editor("> ");
  std::string line;
  editor.feed("hello");
  editor.next(line);
  CHECK(editor.shown(80) == "\r\x1b[K> hello");
  editor.feed("\x1b[D\x1b[D");
  editor.next(line);
  CHECK(editor.shown(80) == "\r\x1b[K> hello\x1b[2D");
  // Too long: what is round the cursor.
  CHECK(editor.shown(7) == "\r\x1b[K> hell\x1b[1D");
  editor.feed("\x05 world");
  editor.next(line);
  CHECK(editor.shown(10) == "\r\x1b[K>  world");
  // Wide characters, and those that take no column of their own.
  LineEditor wide("");
  wide.feed(
      "\xe6\xbc\xa2\xe5\xad\x97"
      "e\xcc\x81\x1b[D\x1b[D\x1b[D");
  wide.next(line);
  CHECK(wide.shown(80).ends_with("\x1b[3D"));
  CHECK(columns_of(U'\u6f22') == 2);
  CHECK(columns_of(U'\u0301') == 0);
  CHECK(columns_of(U'\u20ac') == 1);
}
