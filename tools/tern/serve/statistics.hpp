// One line of rates from two readings of the counters, in the manner of logfmt:
//
//   stats interval=1.00s connections=25+25 turns=2410 ... received_bytes=7680000 accepted=50.0 ...
//
//   Every row of the table in tern/counters.hpp: counters as rates per second, gauges as they are,
//   `connections` of each reactor. closed.<reason> appears for the reasons that occurred.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tern/counters.hpp"
#include "tern/time.hpp"

namespace tern::tool {

std::string statistics_line(const Counters& before, const Counters& after, Duration interval,
                            const std::vector<std::size_t>& connections);

// The sum over all reactors.
Counters total(const std::vector<Counters>& reactors);

}  // namespace tern::tool
