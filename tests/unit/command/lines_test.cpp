// The word that ends a session, and one datagram a line, whatever pieces the bytes come in.
#include "tools/tern/connect/lines.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using tern::tool::LineSplitter;
using tern::tool::QuitFilter;

namespace {

struct Passed {
  std::string bytes;
  bool quit = false;
};

// Feeds `input` in pieces of `piece_bytes`, then ends it.
Passed pass(const std::string& word, std::string_view input, std::size_t piece_bytes) {
  QuitFilter filter(word);
  Passed passed;
  while (!input.empty() && !passed.quit) {
    passed.quit = filter.feed(input.substr(0, piece_bytes), passed.bytes);
    input.remove_prefix(std::min(piece_bytes, input.size()));
  }
  if (!passed.quit) passed.quit = filter.finish(passed.bytes);
  return passed;
}

}  // namespace

TEST_CASE("lines: a line equal to the word quits, however it is cut") {
  for (std::size_t piece_bytes = 1; piece_bytes < 16; ++piece_bytes) {
    CAPTURE(piece_bytes);
    for (const char* input : {"hello\nexit\n", "hello\nexit\r\n", "hello\nexit", "hello\nexit\r",
                              "hello\nexit\nmore\n"}) {
      CAPTURE(input);
      const Passed passed = pass("exit", input, piece_bytes);
      CHECK(passed.quit);
      CHECK(passed.bytes == "hello\n");
    }
    CHECK(pass("exit", "exit\n", piece_bytes).quit);
  }
}

TEST_CASE("lines: everything else passes, byte for byte") {
  for (std::size_t piece_bytes = 1; piece_bytes < 16; ++piece_bytes) {
    CAPTURE(piece_bytes);
    for (const std::string input :
         {"", "\n", "\n\n", "exi\n", "exitt\n", " exit\n", "exit \n", "hello exit\n", "EXIT\n",
          "exit\rx\n", "exit\r\r\n", "eexit\n", "ex\nit\n", "exi", "e\r\n"}) {
      CAPTURE(input);
      const Passed passed = pass("exit", input, piece_bytes);
      CHECK_FALSE(passed.quit);
      CHECK(passed.bytes == input);
    }
  }
}

TEST_CASE("lines: an empty word never quits") {
  const Passed passed = pass("", "\nexit\n\r\n", 3);
  CHECK_FALSE(passed.quit);
  CHECK(passed.bytes == "\nexit\n\r\n");
}

TEST_CASE("lines: only what may become the word is held back") {
  QuitFilter filter("exit");
  std::string out;
  CHECK_FALSE(filter.feed("partial", out));
  CHECK(out == "partial");
  CHECK_FALSE(filter.feed("\nex", out));
  CHECK(out == "partial\n");
  CHECK_FALSE(filter.feed("a", out));
  CHECK(out == "partial\nexa");
}

TEST_CASE("lines: a splitter gives the same lines however its input is cut") {
  const std::string input = "one\n\ntwo three\r\nlast";
  for (std::size_t piece_bytes = 1; piece_bytes <= input.size(); ++piece_bytes) {
    CAPTURE(piece_bytes);
    LineSplitter splitter(100);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < input.size(); at += piece_bytes) {
      splitter.feed(std::string_view(input).substr(at, piece_bytes), lines);
    }
    CHECK(lines == std::vector<std::string>{"one\n", "\n", "two three\r\n"});
    splitter.finish(lines);
    CHECK(lines.size() == 4);
    CHECK(lines.back() == "last");
    splitter.finish(lines);
    CHECK(lines.size() == 4);
  }
}

TEST_CASE("lines: a long line is cut in pieces, nothing is lost") {
  LineSplitter splitter(4);
  std::vector<std::string> lines;
  splitter.feed("abcdefgh\nabc\nxyz1\n", lines);
  splitter.finish(lines);
  CHECK(lines == std::vector<std::string>{"abcd", "efgh", "\n", "abc\n", "xyz1", "\n"});
}
