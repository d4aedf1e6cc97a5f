// A histogram as text, in the form that HdrHistogram's outputPercentileDistribution() writes and
// its plotters read: a row for each percentile, five to every halving of the distance to 100 %.
//
//          Value     Percentile TotalCount 1/(1-Percentile)
//
//         12.301 0.000000000000          1           1.00
//         ...
//
//   Plain function on a value, any thread. Source: HdrHistogram, AbstractHistogram.java.
#pragma once

#include <string>

#include "tools/tern/load/histogram.hpp"

namespace tern::tool {

// Values are divided by `unit`: nanoseconds by 1000 are shown in microseconds. REQUIRES unit > 0.
std::string percentile_text(const Histogram& histogram, double unit = 1);

}  // namespace tern::tool
