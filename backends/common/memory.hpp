// Where an allocation may fail and what follows may not: all memory first, then the deed.
#pragma once

#include <new>
#include <system_error>

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

}  // namespace tern
