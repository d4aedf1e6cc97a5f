// The error codes of Winsock and of the system below it, in the contract's vocabulary.
//
//   The C++ libraries of this system compare its codes with few of std::errc, or with none; so
//   these codes have a category of their own.
#pragma once

#include <system_error>

#include "backends/common/error_class.hpp"

namespace tern::winsock {

const std::error_category& error_category();

// What a code means to a poller. None where it is 0.
ErrorClass classify(int code);

}  // namespace tern::winsock
