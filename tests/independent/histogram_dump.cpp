// Whole numbers on standard input, the percentile text of tern's histogram on standard output.
#include <cstdint>
#include <iostream>

#include "tools/tern/load/histogram_text.hpp"

int main() {
  tern::tool::Histogram first;
  tern::tool::Histogram second;
  // Two that are merged, so that merging is checked as well.
  std::uint64_t number = 0;
  while (std::cin >> number) {
    first.record(number);
    std::swap(first, second);
  }
  first.merge(second);
  std::cout << tern::tool::percentile_text(first);
}
