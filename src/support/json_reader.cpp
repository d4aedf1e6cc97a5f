#include "src/support/json_reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace tern::support {
namespace {

constexpr int depth_max = 8;
constexpr std::string_view blanks = " \t\r\n";

// As JSON has numbers: strtod alone would take hexadecimal ones and "inf".
std::optional<double> number_of(const std::string& word) {
  if (word.empty() || word.find_first_not_of("0123456789+-.eE") != word.npos) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(word.c_str(), &end);
  if (end != word.c_str() + word.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() {
    skip_blanks();
    return place_ == text_.size();
  }
  bool object(JsonValues& values, const std::string& prefix, int depth);
  std::string problem() const {
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<long>(place_), '\n');
    return "line " + std::to_string(line + 1) + ": " + problem_;
  }

 private:
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  void skip_blanks() {
    while (place_ < text_.size() && blanks.find(text_[place_]) != blanks.npos) ++place_;
  }
  bool take(char wanted) {
    skip_blanks();
    if (place_ == text_.size() || text_[place_] != wanted) return false;
    ++place_;
    return true;
  }
  bool quoted(std::string& text);
  bool member(JsonValues& values, const std::string& prefix, int depth);

  std::string_view text_;
  std::size_t place_ = 0;
  std::string problem_;
};

bool Reader::quoted(std::string& text) {
  if (!take('"')) return fail("a text in quotes is missing");
  text.clear();
  for (; place_ < text_.size() && text_[place_] != '"'; ++place_) {
    if (text_[place_] != '\\') {
      text += text_[place_];
      continue;
    }
    if (++place_ == text_.size()) break;
    // Control characters are nobody's business here: they are kept as they were written.
    if (text_[place_] != '"' && text_[place_] != '\\' && text_[place_] != '/') text += '\\';
    text += text_[place_];
  }
  if (place_ == text_.size()) return fail("a text has no closing quote");
  ++place_;
  return true;
}

bool Reader::member(JsonValues& values, const std::string& prefix, int depth) {
  std::string name;
  if (!quoted(name)) return false;
  if (!take(':')) return fail("a colon is missing after \"" + name + "\"");
  name = prefix + name;
  skip_blanks();
  const char first = place_ < text_.size() ? text_[place_] : '\0';
  if (first == '{') return object(values, name + ".", depth + 1);
  if (first == '"') {
    std::string text;
    if (!quoted(text)) return false;
    values.add(name, text);
    return true;
  }
  const std::size_t end = text_.find_first_of(",} \t\r\n", place_);
  const std::string word(text_.substr(place_, end == text_.npos ? end : end - place_));
  if (!number_of(word) && word != "true" && word != "false" && word != "null") {
    return fail("'" + word.substr(0, 40) + "' is no value of a result");
  }
  place_ += word.size();
  values.add(name, word);
  return true;
}

bool Reader::object(JsonValues& values, const std::string& prefix, int depth) {
  if (depth > depth_max) return fail("objects are nested too deep");
  if (!take('{')) return fail("an object in braces is missing");
  if (take('}')) return true;
  do {
    if (!member(values, prefix, depth)) return false;
  } while (take(','));
  return take('}') || fail("a comma or the closing brace is missing");
}

}  // namespace

std::string JsonValues::text(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string() : found->second;
}

std::optional<double> JsonValues::number(const std::string& name) const {
  return number_of(text(name));
}

bool read_json_objects(std::string_view text, std::vector<JsonValues>& objects,
                       std::string& problem) {
  Reader reader(text);
  while (!reader.at_end()) {
    if (!reader.object(objects.emplace_back(), "", 1)) {
      problem = reader.problem();
      return false;
    }
  }
  return true;
}

}  // namespace tern::support
