// The tests are tested: a poller that breaks one rule on purpose must be caught by that rule's
// cases, and one that breaks none must pass them all.
#include <map>
#include <vector>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

struct RuleCase {
  std::string_view name;
  CaseBody body;
};

std::map<canary::Rule, std::vector<RuleCase>>& rule_cases() {
  static std::map<canary::Rule, std::vector<RuleCase>> cases;
  return cases;
}

Outcome run_on_canary(const RuleCase& rule_case) {
  Case run(rule_case.name, "canary");
  const World world = worlds::canary(run.seed());
  return run_case(run, rule_case.body);
}

}  // namespace

bool register_rule_case(canary::Rule rule, std::string_view name, CaseBody body) {
  rule_cases()[rule].push_back({name, body});
  return true;
}

TEST_CASE("canary_is_caught") {
  for (const auto& rule_and_cases : rule_cases()) {
    const std::vector<RuleCase>& cases = rule_and_cases.second;
    canary::break_rule(rule_and_cases.first);
    std::string caught;
    for (const RuleCase& rule_case : cases) {
      const Outcome outcome = run_on_canary(rule_case);
      if (outcome.verdict == Verdict::failed) caught += "\n  " + outcome.message;
    }
    canary::break_rule(canary::Rule::none);
    const std::string rule(cases.front().name);
    CHECK_MESSAGE(!caught.empty(), "broken, and nobody noticed: the rule of ", rule);
    MESSAGE("the rule of ", rule, " is guarded by:", caught);
  }
  // Each rule has a case: ten in backends/poller.hpp.
  CHECK(rule_cases().size() == 10);
}

TEST_CASE("canary_that_breaks_nothing_passes") {
  canary::break_rule(canary::Rule::none);
  for (const auto& rule_and_cases : rule_cases()) {
    for (const RuleCase& rule_case : rule_and_cases.second) {
      const Outcome outcome = run_on_canary(rule_case);
      CHECK_MESSAGE(outcome.verdict != Verdict::failed, outcome.message);
    }
  }
}

}  // namespace tern::test
