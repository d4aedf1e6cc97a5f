// What JsonWriter wrote is read back; what is no result is refused.
#include "src/support/json_reader.hpp"

#include <doctest/doctest.h>

#include <string>

#include "src/support/json_writer.hpp"

namespace {

using namespace tern::support;

TEST_CASE("json reader: what was written is read back") {
  JsonWriter json;
  json.open()
      .add("text", "a \"quoted\" \\ line")
      .add("whole", 18'446'744'073'709'551'615U)
      .add("fraction", -0.125)
      .add("large", 1e300)
      .add("truth", true)
      .add("nothing", std::optional<double>())
      .open("inner")
      .add("p99.9", 5)
      .open("deeper")
      .close()
      .close();
  std::vector<JsonValues> objects;
  std::string problem;
  const std::string text = json.close().text();
  REQUIRE(read_json_objects(text + " \n" + text, objects, problem));
  REQUIRE(objects.size() == 2);
  for (const JsonValues& object : objects) {
    CHECK(object.text("text") == "a \"quoted\" \\ line");
    CHECK(object.text("whole") == "18446744073709551615");
    CHECK(object.number("fraction") == -0.125);
    CHECK(object.number("large") == 1e300);
    CHECK(object.text("truth") == "true");
    CHECK(object.text("nothing") == "null");
    CHECK_FALSE(object.number("nothing"));
    CHECK_FALSE(object.number("missing"));
    CHECK(object.number("inner.p99.9") == 5);
    CHECK_FALSE(object.has("inner.deeper"));
  }
  objects.clear();
  CHECK(read_json_objects("{}{}", objects, problem));
  CHECK(objects.size() == 2);
  CHECK(read_json_objects(" \n", objects, problem));
}

TEST_CASE("json reader: what is no result is refused, and where is said") {
  std::string deep;
  for (int level = 0; level < 100'000; ++level) deep += "{\"a\":";
  for (const std::string& text :
       {std::string("["), std::string("{\"a\": [1]}"), std::string("{\"a\" 1}"),
        std::string("{\"a\": }"), std::string("{\"a\": nan}"), std::string("{\"a\": 0x10}"),
        std::string("{\"a\": 1"), std::string("{\"a\": \"x"), std::string("{\"a\": \"x\\"),
        std::string("{\"a\": 1,}"), std::string("{} x"), std::string("{a: 1}"), deep}) {
    CAPTURE(text.substr(0, 40));
    std::vector<JsonValues> objects;
    std::string problem;
    CHECK_FALSE(read_json_objects(text, objects, problem));
    CHECK(problem.find("line 1: ") == 0);
  }
  std::vector<JsonValues> objects;
  std::string problem;
  CHECK_FALSE(read_json_objects("{\n\"a\": 1\n\"b\"}", objects, problem));
  CHECK(problem.find("line 3: ") == 0);
}

}  // namespace
