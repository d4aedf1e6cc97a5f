// The options of Google Benchmark, and --iterations=N: each runs N times, whatever that takes. Who
// counts instructions needs that: the library's own choice hangs on the clock.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "bench/micro/micro.hpp"

namespace {

constexpr std::string_view option = "--iterations=";

// Takes the option away from those that Google Benchmark is to read. 0: it was not given.
int take_iterations(int& count, char** arguments) {
  char** const end = arguments + count;
  char** const found = std::find_if(arguments, end, [](const char* argument) {
    return std::string_view(argument).starts_with(option);
  });
  if (found == end) return 0;
  const std::string_view number = std::string_view(*found).substr(option.size());
  int iterations = 0;
  const auto [last, error] =
      std::from_chars(number.data(), number.data() + number.size(), iterations);
  if (error != std::errc{} || last != number.data() + number.size() || iterations < 1) return -1;
  std::rotate(found, found + 1, end);
  --count;
  return iterations;
}

}  // namespace

int main(int count, char** arguments) {
  const int iterations = take_iterations(count, arguments);
  if (iterations < 0) {
    std::fputs("tern-bench-micro: --iterations needs a number above 0\n", stderr);
    return 64;
  }
  for (auto* each : tern::micro::registered()) {
    if (iterations > 0) each->Iterations(iterations);
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
