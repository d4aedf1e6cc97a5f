#include "src/support/error_text.hpp"

namespace tern::support {
namespace {

// The C library of Windows has no words for what networks do; those that the core uses are here.
std::string message_of(const std::error_code& error) {
  if (error == make_error_code(std::errc::timed_out)) return "Connection timed out";
  if (error == make_error_code(std::errc::connection_refused)) return "Connection refused";
  if (error == make_error_code(std::errc::address_not_available)) {
    return "Cannot assign requested address";
  }
  if (error == make_error_code(std::errc::operation_canceled)) return "Operation canceled";
  return error.message();
}

}  // namespace

std::string describe(const std::error_code& error) {
  std::string text = message_of(error);
  // "Connection refused" reads as a sentence; "DNS server ..." must stay as it is.
  const auto is_upper = [](char letter) { return letter >= 'A' && letter <= 'Z'; };
  if (text.size() > 1 && is_upper(text[0]) && !is_upper(text[1])) {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

}  // namespace tern::support
