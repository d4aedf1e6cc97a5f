// The same of another implementation: whole numbers on standard input, its text on standard output.
'use strict';

const { readFileSync } = require('fs');
const { build } = require('hdr-histogram-js');

const histogram = build({
  lowestDiscernibleValue: 1,
  highestTrackableValue: 2 ** 37 - 1,
  numberOfSignificantValueDigits: 3,
  bitBucketSize: 64,
  useWebAssembly: false,
});
for (const word of readFileSync(0, 'utf8').split(/\s+/)) {
  if (word !== '') histogram.recordValue(Number(word));
}
process.stdout.write(histogram.outputPercentileDistribution(5, 1));
