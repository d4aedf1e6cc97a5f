// The word that ends a session, whatever pieces the bytes come in.
#include "tools/tern/connect/quit_filter.hpp"

#include <doctest/doctest.h>

#include <algorithm>

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

TEST_CASE("quit filter: a line equal to the word quits, however it is cut") {
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

TEST_CASE("quit filter: everything else passes, byte for byte") {
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

TEST_CASE("quit filter: an empty word never quits") {
  const Passed passed = pass("", "\nexit\n\r\n", 3);
  CHECK_FALSE(passed.quit);
  CHECK(passed.bytes == "\nexit\n\r\n");
}

TEST_CASE("quit filter: only what may become the word is held back") {
  QuitFilter filter("exit");
  std::string out;
  CHECK_FALSE(filter.feed("partial", out));
  CHECK(out == "partial");
  CHECK_FALSE(filter.feed("\nex", out));
  CHECK(out == "partial\n");
  CHECK_FALSE(filter.feed("a", out));
  CHECK(out == "partial\nexa");
}
