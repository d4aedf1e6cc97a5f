// One line of rates from two readings of the counters, in the manner of logfmt:
//
//   stats interval=1.00s connections=25+25 turns=2410 ... received_bytes=7680000 accepted=50.0 ...
//
//   Rates are per second; `connections` is the gauge of each reactor. closed.<reason> appears for
//   the reasons that occurred.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/counters.hpp"
#include "tern/time.hpp"

namespace tern::tool {

std::string statistics_line(const Counters& before, const Counters& after, Duration interval,
                            const std::vector<std::size_t>& connections);

// The sum over all reactors.
Counters total(const std::vector<Counters>& reactors);

// Each number that only grows but for those by reason, with its name.
void for_each_counter(const Counters& counters,
                      const std::function<void(std::string_view name, std::uint64_t value)>& call);

}  // namespace tern::tool
