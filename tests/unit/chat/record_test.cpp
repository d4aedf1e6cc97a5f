// Records: what is written is read again, and what is damaged or torn is not.
#include "src/chat/store/record.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/case.hpp"

using namespace tern::chat;

namespace {

struct Read {
  RecordsRead result;
  std::vector<std::string> lines;
};

Read read(const std::string& text) {
  Read all;
  all.result = read_records(text, [&](const std::string& room, const Message& message) {
    all.lines.push_back(room + (message.is_emote ? " * " : " ") + message.author + " " +
                        std::to_string(message.time) + " " + message.text);
  });
  return all;
}

std::string written() {
  std::string text;
  append_record("lobby", {1'763'726'400, false, "alice", "hello there"}, text);
  append_record("Attic-2", {-1, true, "bob", " waves \xf0\x9f\x90\xa6"}, text);
  append_record("lobby", {0, false, "carol", "x"}, text);
  return text;
}

}  // namespace

TEST_CASE("chat records: what is written is read again") {
  const Read all = read(written());
  CHECK(all.lines == std::vector<std::string>{"lobby alice 1763726400 hello there",
                                              "Attic-2 * bob -1  waves \xf0\x9f\x90\xa6",
                                              "lobby carol 0 x"});
  CHECK(all.result.whole_bytes == written().size());
  CHECK(all.result.damaged == 0);
  // The form of files that exist: CRC-32 of IEEE 802.3.
  std::string one;
  append_record("lobby", {1, false, "alice", "hi"}, one);
  CHECK(one == "6c72dac2 1 s lobby alice hi\n");
}

TEST_CASE("chat records: torn anywhere, all before it is read") {
  const std::string text = written();
  for (std::size_t end = 0; end < text.size(); ++end) {
    const Read some = read(text.substr(0, end));
    CHECK(some.result.whole_bytes <= end);
    CHECK(some.result.damaged == 0);
    const std::string kept = text.substr(0, some.result.whole_bytes);
    CHECK(static_cast<std::size_t>(std::count(kept.begin(), kept.end(), '\n')) ==
          some.lines.size());
  }
}

TEST_CASE("chat records: a bit that has turned is found, and costs its record alone") {
  tern::test::Random random(tern::test::test_seed());
  const std::string text = written();
  for (int round = 0; round < 500; ++round) {
    std::string damaged = text;
    damaged[random.below(text.size())] ^= static_cast<char>(1U << random.below(8));
    const Read some = read(damaged);
    CHECK(some.lines.size() <= 2);
    CHECK(some.lines.size() >= 1);
  }
  const Read nonsense = read("\n\nabc\n00000000 \n");
  CHECK(nonsense.lines.empty());
  CHECK(nonsense.result.damaged == 4);
}
