#include "tern/close_reason.hpp"

namespace tern {

std::string_view to_string(CloseReason reason) {
  const std::string_view name = info_of(reason).name;
  return name.empty() ? "unknown" : name;
}

}  // namespace tern
