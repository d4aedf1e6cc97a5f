#include "tests/contract/support/contract_case.hpp"

#include "tests/contract/exceptions.hpp"

namespace tern::test {

void run_registered(std::string_view name, std::string_view world_name, MakeWorld make_world,
                    CaseBody body) {
  if (const std::string_view reason = exception_for(name, world_name); !reason.empty()) {
    MESSAGE(std::string(name), ".", std::string(world_name), " is left out: ", std::string(reason));
    return;
  }
  Case run(name, world_name);
  const World world = make_world(run.seed());
  check_case(run, body);
}

}  // namespace tern::test
