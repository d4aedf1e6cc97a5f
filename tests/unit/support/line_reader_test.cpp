// Lines out of a stream, however it is cut.
#include "src/support/line_reader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/case.hpp"

using tern::support::LineReader;
using LineGot = LineReader::Got;

namespace {

// All lines of `text`, fed in random pieces; "!" for one that is too long.
std::vector<std::string> lines_of(const std::string& text, tern::test::Random& random,
                                  std::size_t bytes_max) {
  LineReader reader(bytes_max);
  std::vector<std::string> lines;
  std::string_view line;
  const auto take = [&](LineGot got) {
    lines.push_back(got == LineGot::line ? std::string(line) : "!");
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t step = 1 + random.below(std::min<std::size_t>(text.size() - at, 9));
    reader.feed(std::string_view(text).substr(at, step));
    at += step;
    for (LineGot got = reader.next(line); got != LineGot::nothing; got = reader.next(line))
      take(got);
    REQUIRE(reader.held_bytes() <= bytes_max + 1);
  }
  if (const LineGot got = reader.finish(line); got != LineGot::nothing) take(got);
  return lines;
}

}  // namespace

TEST_CASE("line reader: LF or CR LF, in any pieces") {
  tern::test::Random random(tern::test::test_seed());
  const std::string text = "one\ntwo\r\n\r\n\nfour\rfive\n12345678\r\nlast";
  const std::vector<std::string> wanted{"one", "two", "", "", "four\rfive", "12345678", "last"};
  for (int round = 0; round < 200; ++round) CHECK(lines_of(text, random, 10) == wanted);
}

TEST_CASE("line reader: an over-long line is told once and dropped, the next is read") {
  tern::test::Random random(tern::test::test_seed());
  const std::string text = std::string(1000, 'x') + "\nnext\n" + "123456789\n" + "12345678\r\n";
  const std::vector<std::string> wanted{"!", "next", "!", "12345678"};
  for (int round = 0; round < 200; ++round) CHECK(lines_of(text, random, 8) == wanted);
  CHECK(lines_of(std::string(1000, 'x'), random, 8) == std::vector<std::string>{"!"});
}
