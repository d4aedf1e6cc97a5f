// The error codes of Winsock and of the system below it, in the contract's vocabulary.
//
//   The C++ libraries of this system compare its codes with few of std::errc, or with none; so
//   these codes have a category of their own.
#pragma once

#include <system_error>

namespace tern::winsock {

const std::error_category& error_category();

}  // namespace tern::winsock
