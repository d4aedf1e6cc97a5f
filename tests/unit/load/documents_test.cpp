// The schemas and the table of measures in docs/ are those that follow from the tables of fields.
//
//   With TERN_TEST_WRITE in the environment they are written instead.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "support/source_root.hpp"
#include "tools/tern/load/chat_result.hpp"
#include "tools/tern/load/origin.hpp"
#include "tools/tern/load/report.hpp"
#include "tools/tern/load/result.hpp"

namespace {

using namespace tern::tool;

constexpr std::size_t columns_max = 100;

std::string path_of(const std::string& name) { return TERN_SOURCE_ROOT "/docs/" + name; }

std::string read_document(const std::string& name) {
  std::ifstream file(path_of(name), std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

void check_document(const std::string& name, const std::string& expected) {
  if (std::getenv("TERN_TEST_WRITE") != nullptr) {
    std::ofstream(path_of(name), std::ios::binary) << expected;
  }
  // Where the two differ is said by `git diff`, once they are written.
  const bool is_as_the_table_says = read_document(name) == expected;
  INFO("run it with TERN_TEST_WRITE=1, and commit what it writes: docs/", name);
  CHECK(is_as_the_table_says);
}

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

// ["a", "b"], broken into lines, the first of which begins at `column`.
std::string array_of(const std::vector<std::string>& texts, std::size_t column,
                     const std::string& indent) {
  std::string text = "[";
  ++column;
  for (const std::string& each : texts) {
    const std::string piece = in_quotes(each) + (&each == &texts.back() ? "]," : ",");
    const bool is_first = &each == &texts.front();
    if (column + 1 + piece.size() > columns_max) {
      text += "\n" + indent;
      column = indent.size();
    } else if (!is_first) {
      text += " ";
      ++column;
    }
    text += piece;
    column += piece.size();
  }
  return text;
}

struct Property {
  std::string_view name;
  FieldValue value;
  std::string_view meaning;
  std::span<const std::string_view> choices;
  bool is_required;
};

// The lines of a schema that say what a value is.
std::vector<std::string> rules_of(const Property& property) {
  if (property.name == "schema_version") {
    return {"\"const\": " + std::to_string(std::get<std::uint64_t>(property.value)) + ","};
  }
  if (property.choices.size() == 1)
    return {"\"const\": " + in_quotes(property.choices.front()) + ","};
  if (!property.choices.empty()) {
    return {"\"enum\": " + array_of({property.choices.begin(), property.choices.end()}, 14, "")};
  }
  const auto object_of = [](const std::string& type) {
    return std::vector<std::string>{"\"type\": \"object\",",
                                    "\"additionalProperties\": {\"type\": \"" + type + "\"},"};
  };
  return std::visit(
      [&](const auto& value) -> std::vector<std::string> {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, bool>) return {"\"type\": \"boolean\","};
        if constexpr (std::is_same_v<Value, std::uint64_t>) return {"\"type\": \"integer\","};
        if constexpr (std::is_same_v<Value, double>) return {"\"type\": \"number\","};
        if constexpr (std::is_same_v<Value, std::optional<double>>) {
          return {"\"type\": [\"number\", \"null\"],"};
        }
        if constexpr (std::is_same_v<Value, std::string>) return {"\"type\": \"string\","};
        if constexpr (std::is_same_v<Value, const Histogram*>) {
          return {"\"$ref\": \"#/$defs/percentiles\","};
        }
        if constexpr (std::is_same_v<Value, Curve>) return object_of("number");
        if constexpr (std::is_same_v<Value, const LoadErrors*>) return object_of("integer");
      },
      property.value);
}

// The members of a schema that describe an object, from "type" on.
std::string object_text(const std::vector<Property>& properties, const std::string& indent,
                        std::vector<std::string> further_required = {}, std::string further = {}) {
  std::vector<std::string> required;
  for (const Property& property : properties) {
    if (property.is_required) required.emplace_back(property.name);
  }
  required.insert(required.end(), further_required.begin(), further_required.end());
  std::string text = indent + "\"type\": \"object\",\n" + indent +
                     "\"required\": " + array_of(required, indent.size() + 12, indent + "  ") +
                     "\n" + indent + "\"additionalProperties\": false,\n" + indent +
                     "\"properties\": {\n";
  for (const Property& property : properties) {
    text += indent + "  " + in_quotes(property.name) + ": {\n";
    for (const std::string& rule : rules_of(property)) text += indent + "    " + rule + "\n";
    text += indent + "    \"description\": " + in_quotes(property.meaning) + "\n" + indent + "  }";
    const bool is_last = &property == &properties.back() && further.empty();
    text += is_last ? "\n" : ",\n";
  }
  return text + further + indent + "}";
}

template <class Record>
void add_properties(std::vector<Property>& properties, std::span<const Field<Record>> fields,
                    const Record& record) {
  for (const Field<Record>& field : fields) {
    properties.push_back(
        {field.name, field.value(record), field.meaning, field.choices, !field.is_optional});
  }
}

std::string environment_text() {
  std::vector<Property> properties;
  add_properties(properties, environment_fields(), {});
  return "    \"environment\": {\n" + object_text(properties, "      ") + "\n    }\n";
}

std::string statistics_text() {
  std::vector<std::string> names;
  for (const Statistic& statistic : statistics) {
    if (statistic.in_results) names.push_back(json_name(statistic));
  }
  names.emplace_back("count");
  return "    \"percentiles\": {\n      \"type\": \"object\",\n      \"required\": " +
         array_of(names, 18, "        ") +
         "\n      \"additionalProperties\": {\"type\": \"number\"}\n    }\n";
}

std::string schema_text(const std::string& name, const std::string& command, std::uint64_t version,
                        const std::vector<Property>& properties) {
  return "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"$id\": " +
         in_quotes(name) + ",\n  \"title\": " +
         in_quotes("The result of " + command + " --json, schema version " +
                   std::to_string(version)) +
         ",\n  \"description\": \"New keys may come without a new version; a key that goes or "
         "changes its meaning raises it. Times are in the unit that their name ends with.\",\n" +
         object_text(properties, "  ", {"environment"}, environment_text()) +
         ",\n  \"$defs\": {\n" + statistics_text() + "  }\n}\n";
}

TEST_CASE("load documents: the schema of a result") {
  const LoadPlan plan;
  const LoadOutcome outcome;
  const LoadRecord record{plan, outcome};
  std::vector<Property> properties;
  add_properties(properties, origin_fields(), {load_schema_version, plan.options.url});
  for (const LoadField& field : load_fields) {
    properties.push_back({field.name, value_of(field, record), field.meaning, field.choices,
                          field.scope == Scope::every_run});
  }
  const std::string name = "load-result.schema.json";
  check_document(name, schema_text(name, "tern load", load_schema_version, properties));
}

TEST_CASE("load documents: the schema of a chat's result") {
  const ChatLoadResult result;
  std::vector<Property> properties;
  add_properties(properties, origin_fields(), {chat_schema_version, result.url});
  add_properties(properties, chat_load_fields(), result);
  const std::string name = "load-chat-result.schema.json";
  check_document(name, schema_text(name, "tern load chat://...", chat_schema_version, properties));
}

std::string joined(const std::vector<std::string>& texts) {
  std::string text;
  for (const std::string& each : texts) text += (text.empty() ? "" : ", ") + each;
  return text;
}

std::string scope_text(Scope scope) {
  switch (scope) {
    case Scope::every_run:
      return {};
    case Scope::open_loop:
      return "open loop";
    case Scope::tls:
      return "TLS";
    case Scope::datagrams:
      return "UDP";
  }
  return {};
}

std::string decides_text(Compared::Decides decides) {
  switch (decides) {
    case Compared::Decides::never:
      return {};
    case Compared::Decides::closed_loop:
      return "decides a closed loop";
    case Compared::Decides::open_loop:
      return "decides an open loop";
    case Compared::Decides::always:
      return "decides";
  }
  return {};
}

// The columns for --fail-if and tern compare.
std::string uses_text(const LoadField& field) {
  const std::string decides = decides_text(field.compared.decides);
  std::vector<std::string> conditions;
  std::vector<std::string> compared;
  // The statistics of a latency have no other name.
  if (field.source == decltype(field.source)(&LoadMeasure::latency_ns)) {
    for (const Statistic& statistic : statistics) {
      conditions.push_back("`" + std::string(statistic.name) + "`");
      if (!statistic.is_compared) continue;
      compared.push_back(std::string(statistic.name) +
                         (statistic.decides ? " (" + decides + ")" : ""));
    }
  } else {
    if (!field.condition.empty()) conditions.push_back("`" + std::string(field.condition) + "`");
    if (!field.compared.name.empty()) {
      compared.push_back("yes" + (decides.empty() ? "" : " (" + decides + ")"));
    }
  }
  return joined(conditions) + " | " + joined(compared);
}

TEST_CASE("load documents: the table of measures") {
  const std::string name = "tern.md";
  const std::string begin =
      "<!-- measures: written by `TERN_TEST_WRITE=1 build/tests/unit-tools` -->\n";
  const std::string end = "<!-- end -->\n";
  std::string text = read_document(name);
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  const std::size_t to = text.find(end, from);
  REQUIRE(to != std::string::npos);
  std::string table =
      "\n| measure | what it is | of | `--fail-if` | `tern compare` |\n|---|---|---|---|---|\n";
  for (const LoadField& field : load_fields) {
    if (field.role != Role::measure) continue;
    table += "| `" + std::string(field.name) + "` | " + std::string(field.meaning) + " | " +
             scope_text(field.scope) + " | " + uses_text(field) + " |\n";
  }
  text.replace(from + begin.size(), to - from - begin.size(), table + "\n");
  check_document(name, text);
}

}  // namespace
