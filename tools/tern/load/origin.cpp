#include "tools/tern/load/origin.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>

#include "tern/reactor.hpp"
#include "tern/version.hpp"

namespace tern::tool {
namespace {

constexpr std::array origin_table = std::to_array<Field<Origin>>({
    {.name = "schema_version",
     .value = [](const Origin& origin) -> FieldValue { return origin.schema_version; },
     .meaning = "of this schema: raised when a key goes or changes its meaning"},
    {.name = "tool_version",
     .value = [](const Origin&) -> FieldValue { return std::string(version_text()); },
     .meaning = "the tern that measured"},
    {.name = "poller",
     .value = [](const Origin&) -> FieldValue { return std::string(Reactor::poller_name()); },
     .meaning = "the mechanism that the loader itself ran on"},
    {.name = "measured_at",
     .value = [](const Origin&) -> FieldValue {
       return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
     },
     .meaning = "UTC, when the run had ended"},
    {.name = "url",
     .value = [](const Origin& origin) -> FieldValue { return origin.url.to_string(); },
     .meaning = "the server"},
});

constexpr std::array environment_table = std::to_array<Field<TestBed>>({
    {.name = "kernel",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.kernel; },
     .meaning = "the operating system's release",
     .is_noted = true},
    {.name = "cpu_model",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.cpu_model; },
     .meaning = "the processors",
     .is_noted = true},
    {.name = "cpus",
     .value = [](const TestBed& bed) -> FieldValue { return std::uint64_t{bed.loader.cpus}; },
     .meaning = "processors that the loader may run on",
     .is_noted = true},
    {.name = "cpus_allowed",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.cpus_allowed; },
     .meaning = "which ones, such as 0-3,6",
     .is_noted = true},
    {.name = "governor",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.governor; },
     .meaning = "of the processors' clock",
     .is_noted = true},
    {.name = "compiler",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.compiler; },
     .meaning = "that built the loader",
     .is_noted = true},
    {.name = "commit",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.commit; },
     .meaning = "that the loader was built from"},
    {.name = "descriptors_max",
     .value = [](const TestBed& bed) -> FieldValue { return bed.loader.descriptors_max; },
     .meaning = "descriptors that the loader may have open"},
    {.name = "server_cpus_allowed",
     .value = [](const TestBed& bed) -> FieldValue { return bed.server_processors; },
     .meaning = "with --server-pid: the processors that the server may run on",
     .is_optional = true},
});

}  // namespace

std::span<const Field<Origin>> origin_fields() { return origin_table; }

void add_origin(support::JsonWriter& json, const Origin& origin) {
  add_fields(json, origin_fields(), origin);
}

std::span<const Field<TestBed>> environment_fields() { return environment_table; }

void add_environment(support::JsonWriter& json, const std::string& server_processors) {
  json.open("environment");
  add_fields(json, environment_fields(), TestBed{load_environment(), server_processors});
  json.close();
}

}  // namespace tern::tool
