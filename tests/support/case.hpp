// What one test case is given, and how it fails.
//
// A case body is a plain function that throws Failure at the first thing that does not hold. It
// knows nothing of doctest, so that the same body can be run for its verdict alone: the canary test
// runs bodies that must fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace tern::test {

struct Failure {
  std::string message;
};

// Thrown by Case::skip: the machine lacks what the case needs. Never used for a backend's faults.
struct Skipped {
  std::string reason;
};

// A small seeded generator (splitmix64): the same numbers on every standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }
  // A number in [0, count). REQUIRES count > 0.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

// How much more than the default to do, from the environment: TERN_TEST_SCALE (1 by default).
std::size_t test_scale();
// The seed of random choices, from the environment: TERN_TEST_SEED (1 by default).
std::uint64_t test_seed();

class Case {
 public:
  Case(std::string_view name, std::string_view backend, std::uint64_t seed = test_seed())
      : name_(std::string(name) + "." + std::string(backend)), seed_(seed), random_(seed) {}

  const std::string& name() const { return name_; }
  std::uint64_t seed() const { return seed_; }
  Random& random() { return random_; }
  static std::size_t scaled(std::size_t count) { return count * test_scale(); }
  [[noreturn]] static void skip(std::string reason) { throw Skipped{std::move(reason)}; }

 private:
  std::string name_;
  std::uint64_t seed_;
  Random random_;
};

enum class Verdict : std::uint8_t { passed, failed, skipped };

struct Outcome {
  Verdict verdict = Verdict::passed;
  std::string message;  // why it failed or was skipped, with the case's name and seed
};

// Runs a body for its verdict. An exception of any kind is a failure: the contract throws nothing.
Outcome run_case(Case& test_case, const std::function<void(Case&)>& body);
// Runs a body under doctest: a failure is a failed check that names the seed, a skip is a message.
void check_case(Case& test_case, const std::function<void(Case&)>& body);

[[noreturn]] void fail(const char* file, int line, const std::string& what);
[[noreturn]] void fail(const char* file, int line, const char* condition, const std::string& note);

template <class Value>
std::string shown(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_integral_v<Value>) {
    return std::to_string(value);
  } else if constexpr (requires(std::ostringstream & out) { out << value; }) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else if constexpr (requires { value.to_string(); }) {
    return value.to_string();
  } else {
    return "?";
  }
}

template <class Left, class Right>
void expect_equal(const Left& left, const Right& right, const char* text, const char* file,
                  int line) {
  if (left == right) return;
  fail(file, line, std::string(text) + " (" + shown(left) + " against " + shown(right) + ")");
}

}  // namespace tern::test

// The checks. They end the case by an exception, so they belong on the case's own thread.
#define EXPECT(condition) \
  ((condition) ? (void)0 : ::tern::test::fail(__FILE__, __LINE__, #condition))
#define EXPECT_EQUAL(left, right) \
  ::tern::test::expect_equal((left), (right), #left " == " #right, __FILE__, __LINE__)
// `note` is made only when the condition does not hold.
#define EXPECT_NOTE(condition, note) \
  ((condition) ? (void)0 : ::tern::test::fail(__FILE__, __LINE__, #condition, (note)))
