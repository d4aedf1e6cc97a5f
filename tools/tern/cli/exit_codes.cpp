#include "tools/tern/cli/exit_codes.hpp"

#include <fmt/core.h>

#include <array>
#include <string_view>

namespace tern::tool {
namespace {

struct Advice {
  std::errc cause;
  std::string_view text;
};

// What a user can do about it, where the error's own text does not say it all.
constexpr std::array<Advice, 8> advices{{
    {std::errc::address_in_use,
     "; something else has it: choose another address, or end what has this one"},
    {std::errc::address_not_available, "; write an address of this machine"},
    {std::errc::permission_denied,
     "; choose a port above 1023 or a path that this user may use, or run with more rights"},
    {std::errc::operation_not_permitted, "; run with more rights"},
    {std::errc::no_such_file_or_directory, "; write a path that exists"},
    {std::errc::too_many_files_open, "; raise the descriptor limit (ulimit -n)"},
    {std::errc::connection_refused,
     "; nobody listens there: start the server, or check the address"},
    {std::errc::timed_out, "; check the address, or allow more time"},
}};

std::string_view advice(const std::error_code& error) {
  for (const Advice& candidate : advices) {
    if (error == candidate.cause) return candidate.text;
  }
  // The resolver has a vocabulary of its own.
  const bool is_system =
      error.category() == std::generic_category() || error.category() == std::system_category();
  return is_system ? "" : "; check the name, or write a numeric address";
}

bool is_exhaustion(const std::error_code& error) {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system ||
         error == std::errc::not_enough_memory || error == std::errc::no_buffer_space ||
         error == std::errc::resource_unavailable_try_again;
}

}  // namespace

CommandError unavailable(const std::string& what, const std::error_code& cause) {
  return {is_exhaustion(cause) ? exit_system : exit_unavailable,
          fmt::format("{}: {}{}", what, describe(cause), advice(cause))};
}

CommandError unavailable(const std::system_error& error) {
  // what() is "listen tcp://127.0.0.1:80: Permission denied": keep what is before the cause.
  std::string what = error.what();
  const std::string cause = ": " + error.code().message();
  if (what.size() > cause.size() && what.substr(what.size() - cause.size()) == cause) {
    what.erase(what.size() - cause.size());
    return unavailable(what, error.code());
  }
  return {is_exhaustion(error.code()) ? exit_system : exit_unavailable,
          what + std::string(advice(error.code()))};
}

}  // namespace tern::tool
