// What of the machine and of this program a reader of a result must know.
#pragma once

#include <cstdint>
#include <string>

namespace tern::tool {

// "unknown" where the system does not say.
struct LoadEnvironment {
  std::string kernel;
  std::string cpu_model;
  unsigned cpus = 0;         // that this process may run on
  std::string cpus_allowed;  // which ones, such as "0-3,6"
  std::string governor;      // of the processors' clock
  std::string compiler;
  std::string commit;  // that this program was built from
  std::uint64_t descriptors_max = 0;
};
LoadEnvironment load_environment();

}  // namespace tern::tool
