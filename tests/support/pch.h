// What nearly every test includes, and what takes longest to read: compiled once. A source still
// includes what it uses, for a build with -Db_pch=false.
// No guard: a compiler sees one in the file that it was told to compile, and warns.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>
