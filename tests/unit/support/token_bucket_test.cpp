// Token buckets: so many at once, and a rate in the long run.
#include "src/support/token_bucket.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace tern;
using support::TokenBucket;
using support::TokenRate;

TEST_CASE("token bucket: a burst, then the rate") {
  const TokenRate rate{100ms, 3};
  TokenBucket bucket;
  Time now = Time{} + 5s;
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(rate, now));
  CHECK_FALSE(bucket.take(rate, now));
  CHECK(bucket.wait(rate, now) == 100ms);
  CHECK_FALSE(bucket.take(rate, now + 99ms));
  CHECK(bucket.take(rate, now + 100ms));
  CHECK_FALSE(bucket.take(rate, now + 100ms));
  CHECK_FALSE(bucket.is_full(now + 300ms));
  CHECK(bucket.is_full(now + 400ms));
  now += 10s;  // no more than the burst is ever saved up
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(rate, now));
  CHECK_FALSE(bucket.take(rate, now));
}

TEST_CASE("token bucket: without a limit there is always one") {
  TokenBucket bucket;
  for (int i = 0; i < 1000; ++i) CHECK(bucket.take({}, Time{}));
}
