// Prints figures as rows of the table of `scripts/bench`.

export function row(name, value) {
  console.log(`| ${name} | ${value} |`);
}

/** Rows of the times from an event to the paint, from samples of the probe. */
export function percentiles(name, samples) {
  quantile(`${name}, p50`, samples, 'painted', 0.5);
  quantile(`${name}, p99`, samples, 'painted', 0.99);
  quantile(`${name}, worst`, samples, 'painted', 1);
  quantile(`${name} and on the screen, p99`, samples, 'shown', 0.99);
}

/** A row with the value of `part` below which so much of the samples lie. */
export function quantile(name, samples, part, share) {
  const sorted = samples.map((sample) => sample[part]).toSorted((a, b) => a - b);
  row(name, `${sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)].toFixed(1)} ms`);
}
