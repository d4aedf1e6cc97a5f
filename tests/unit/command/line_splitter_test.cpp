// One datagram a line, whatever pieces the bytes come in.
#include "tools/tern/connect/line_splitter.hpp"

#include <doctest/doctest.h>

using tern::tool::LineSplitter;

TEST_CASE("line splitter: it gives the same lines however its input is cut") {
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

TEST_CASE("line splitter: a long line is cut in pieces, nothing is lost") {
  LineSplitter splitter(4);
  std::vector<std::string> lines;
  splitter.feed("abcdefgh\nabc\nxyz1\n", lines);
  splitter.finish(lines);
  CHECK(lines == std::vector<std::string>{"abcd", "efgh", "\n", "abc\n", "xyz1", "\n"});
}
