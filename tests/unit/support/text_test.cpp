// Text that may be shown to people: UTF-8 without control characters.
#include "src/support/text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tern::support;

TEST_CASE("text: what may be said") {
  for (const std::string text :
       {"hello", "", "tab\there", "gr\xc3\xbc\xc3\x9f dich", "\xe2\x82\xac", "\xf0\x9f\x90\xa6",
        "\xf4\x8f\xbf\xbf", "\xef\xbf\xbd"}) {
    CHECK_MESSAGE(check_text(text).problem == TextProblem::none, text);
  }
}

TEST_CASE("text: what is no UTF-8, and where") {
  struct Row {
    const char* text;
    std::size_t at;
  };
  for (const Row row :
       {Row{"ab\xff", 2}, Row{"\x80", 0}, Row{"\xc0\xaf", 0}, Row{"\xc3", 0}, Row{"a\xe2\x82", 1},
        Row{"\xe0\x80\x80", 0}, Row{"\xed\xa0\x80", 0}, Row{"\xf0\x80\x80\x80", 0},
        Row{"\xf4\x90\x80\x80", 0}, Row{"\xf5", 0}, Row{"\xc3(", 0}}) {
    const TextCheck check = check_text(row.text);
    CHECK_MESSAGE(check.problem == TextProblem::invalid_utf8, row.text);
    CHECK(check.at == row.at);
  }
}

TEST_CASE("text: control characters, and what tears or turns a line") {
  struct Row {
    std::string text;
    char32_t character;
  };
  for (const Row& row : {Row{"x\x1b[2J", 0x1b}, Row{"x\r", 0x0d}, Row{std::string("x\0", 2), 0},
                         Row{"x\x7f", 0x7f}, Row{"x\xc2\x85", 0x85}, Row{"x\xe2\x80\xa8", 0x2028},
                         Row{"x\xe2\x80\xae", 0x202e}, Row{"x\xe2\x81\xa6", 0x2066}}) {
    const TextCheck check = check_text(row.text);
    CHECK(check.problem == TextProblem::control_character);
    CHECK(check.at == 1);
    CHECK(check.character == row.character);
  }
}
