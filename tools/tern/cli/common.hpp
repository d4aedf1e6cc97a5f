// What commands include that do not yet say which of these they need.
#pragma once

#include <fmt/format.h>

#include <CLI/App.hpp>

#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/output.hpp"
