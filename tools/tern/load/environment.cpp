#include "tools/tern/load/environment.hpp"

#include "backends/system/proc_stats.hpp"
#include "tern/process.hpp"
#include "tools/tern/commit.hpp"

namespace tern::tool {

LoadEnvironment load_environment() {
  LoadEnvironment environment;
  const auto or_unknown = [](const std::string& text) { return text.empty() ? "unknown" : text; };
  const system::Machine machine = system::this_machine();
  environment.kernel = or_unknown(machine.kernel);
  environment.cpu_model = or_unknown(machine.cpu_model);
  environment.cpus_allowed = or_unknown(machine.cpus_allowed);
  environment.governor = or_unknown(machine.governor);
  environment.commit = TERN_COMMIT;
  environment.descriptors_max = raise_descriptor_limit().now;
  environment.cpus = available_processors();
#if defined(__clang__)
  environment.compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
  environment.compiler = "gcc " __VERSION__;
#else
  environment.compiler = "unknown";
#endif
  return environment;
}

}  // namespace tern::tool
