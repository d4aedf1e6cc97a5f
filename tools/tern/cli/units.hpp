// Numbers with units, as users write them: durations, sizes, counts.
//
//   Plain functions on text, any thread. Nothing is thrown: on bad text the parse functions return
//   false and `problem` says what is wrong and what would be right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tern/time.hpp"

namespace tern::tool {

// "500ms", "10s", "1.5s", "2m", "1h30m"; units ns us ms s m h. Bare "0" is zero; any other number
// needs a unit. At most 292 years, as the type holds.
bool parse_duration(std::string_view text, Duration& duration, std::string& problem);

// "64", "4k", "16KiB", "1M", "1.5M": k, M, G and KiB, MiB, GiB are powers of 1024; kB, MB, GB are
// powers of 1000. The case of letters does not matter.
bool parse_size(std::string_view text, std::size_t& bytes, std::string& problem);

// "50", "10k", "1.5M": k, M, G are powers of 1000.
bool parse_count(std::string_view text, std::uint64_t& count, std::string& problem);

// The shortest text that parses to the same value: "500ms", "10s", "1.5s", "2m".
std::string format_duration(Duration duration);
// The largest binary unit that divides: "256KiB", "65537B".
std::string format_size(std::size_t bytes);

}  // namespace tern::tool
