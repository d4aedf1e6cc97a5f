// The one main() of the test executables. Options: see `<executable> --help`.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
