// Where an allocation may fail and what follows may not: all memory first, then the deed.
#pragma once

#include <cstddef>
#include <new>
#include <system_error>
#include <vector>

namespace tern {

// Whether there was memory for what `allocate` does; if not, `error` says so.
template <class Function>
bool has_memory_for(Function allocate, std::error_code& error) {
  try {
    allocate();
    return true;
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
    return false;
  }
}

// So that the next `count` push_back() need no memory; grows as they would.
template <class T>
void reserve_more(std::vector<T>& values, std::size_t count) {
  if (values.capacity() - values.size() < count) values.reserve(2 * values.size() + count);
}

}  // namespace tern
