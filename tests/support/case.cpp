#include "case.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <exception>

namespace tern::test {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return fallback;
  char* end = nullptr;
  const unsigned long long number = std::strtoull(text, &end, 10);
  if (*end != '\0') {
    throw Failure{std::string(name) + "=" + text + ": a whole number is expected"};
  }
  return number;
}

}  // namespace

std::size_t test_scale() {
  const std::uint64_t scale = number_from_environment("TERN_TEST_SCALE", 1);
  return scale == 0 ? 1 : static_cast<std::size_t>(scale);
}

std::uint64_t test_seed() { return number_from_environment("TERN_TEST_SEED", 1); }

Outcome run_case(Case& test_case, const std::function<void(Case&)>& body) {
  const std::string where =
      test_case.name() + " (TERN_TEST_SEED=" + std::to_string(test_case.seed()) + "): ";
  try {
    body(test_case);
    return {};
  } catch (const Failure& failure) {
    return {Verdict::failed, where + failure.message};
  } catch (const Skipped& skipped) {
    return {Verdict::skipped, where + "skipped, " + skipped.reason};
  } catch (const std::exception& exception) {
    return {Verdict::failed, where + "an exception escaped: " + exception.what()};
  }
}

void check_case(Case& test_case, const std::function<void(Case&)>& body) {
  const Outcome outcome = run_case(test_case, body);
  if (outcome.verdict == Verdict::skipped) MESSAGE(outcome.message);
  CHECK_MESSAGE(outcome.verdict != Verdict::failed, outcome.message);
}

void fail(const char* file, int line, const std::string& what) {
  std::string_view name = file;
  const std::size_t slash = name.find_last_of("/\\");
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  throw Failure{std::string(name) + ":" + std::to_string(line) + ": " + what};
}

void fail(const char* file, int line, const char* condition, const std::string& note) {
  fail(file, line, std::string(condition) + ": " + note);
}

}  // namespace tern::test
