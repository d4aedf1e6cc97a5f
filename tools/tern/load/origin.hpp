// What every result says of itself: which schema it has, who measured, when, where, and on what
// environment. Plain functions on values, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "src/support/json_writer.hpp"
#include "tern/url.hpp"
#include "tools/tern/load/environment.hpp"
#include "tools/tern/load/field.hpp"

namespace tern::tool {

// The first members of a result.
struct Origin {
  std::uint64_t schema_version;
  const Url& url;
};
std::span<const Field<Origin>> origin_fields();
void add_origin(support::JsonWriter& json, const Origin& origin);

// The last member of a result, an object: the machine that measured, and the processors of the
// server, empty where these are not known.
struct TestBed {
  LoadEnvironment loader;
  std::string server_processors;
};
std::span<const Field<TestBed>> environment_fields();
void add_environment(support::JsonWriter& json, const std::string& server_processors);

}  // namespace tern::tool
