// Any text is either a URL that survives being written and read again, or is refused with a reason.
#include "tern/url.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tern::Url url;
  std::string problem;
  if (!tern::Url::parse(text, url, problem)) {
    require(!problem.empty());
    return 0;
  }
  tern::Url again;
  require(tern::Url::parse(url.to_string(), again, problem));
  require(again.scheme == url.scheme && again.host == url.host && again.port == url.port &&
          again.path == url.path);
  return 0;
}
