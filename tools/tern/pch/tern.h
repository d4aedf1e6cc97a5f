// What nearly every file of the command includes, and what takes longest to read: compiled once. A
// source still includes what it uses, for a build with -Db_pch=false.
// No guard: a compiler sees one in the file that it was told to compile, and warns.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>
