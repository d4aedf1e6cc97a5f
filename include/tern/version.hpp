// The version, twice: macros for what the caller was compiled with, functions for the library that
// runs. Comparing the two tells a program that it was started with another library.
//
//   Versions follow semver.org. Before 1.0 a new minor version may break source and binary
//   compatibility; the shared library's name carries the minor version for that reason.
//   Any thread.
#pragma once

#include <string_view>

#include "tern/export.hpp"

// The build compares these with the project's version and stops when they differ.
#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0
#define TERN_VERSION_STRING "0.1.0"
// Ordered: 1.2.3 is 10203.
#define TERN_VERSION_NUMBER \
  (TERN_VERSION_MAJOR * 10000 + TERN_VERSION_MINOR * 100 + TERN_VERSION_PATCH)

namespace tern {

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;

  friend bool operator==(const Version&, const Version&) = default;
  friend auto operator<=>(const Version&, const Version&) = default;
};

// The version of the library that runs.
TERN_API Version version();
// The same as text: "0.1.0".
TERN_API std::string_view version_text();

}  // namespace tern
