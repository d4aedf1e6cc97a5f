// Reads results that JsonWriter wrote: objects of objects, texts, numbers, true, false and null.
//
//   A result becomes a flat list of its values, with the names of nested objects before theirs:
//   {"latency_us": {"p99": 5}} is "latency_us.p99" = "5". Numbers stay texts until they are asked
//   for. Arrays are refused, as no result has one.
//
//   Plain functions on text, any thread. Bounded: nesting of 8, and the text's own size.
//   Source: RFC 8259.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::support {

class JsonValues {
 public:
  void add(const std::string& name, std::string value) { values_[name] = std::move(value); }
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  // "" where it is missing. Texts come without quotes; null is "null".
  std::string text(const std::string& name) const;
  // Nothing where it is missing or is no number.
  std::optional<double> number(const std::string& name) const;

 private:
  std::map<std::string, std::string> values_;
};

// The objects of `text`, one after the other with nothing but blanks between them. On bad text
// false, and `problem` says where and what.
bool read_json_objects(std::string_view text, std::vector<JsonValues>& objects,
                       std::string& problem);

}  // namespace tern::support
