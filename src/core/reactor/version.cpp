#include "tern/version.hpp"

namespace tern {

Version version() { return {TERN_VERSION_MAJOR, TERN_VERSION_MINOR, TERN_VERSION_PATCH}; }

std::string_view version_text() { return TERN_VERSION_STRING; }

}  // namespace tern
