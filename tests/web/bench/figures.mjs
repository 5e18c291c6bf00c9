// Prints figures as rows of the table of `scripts/bench`.

export function row(name, value) {
  console.log(`| ${name} | ${value} |`);
}

/** Rows for the usual percentiles of samples of the probe. */
export function percentiles(name, samples) {
  for (const [part, words] of [['painted', ''], ['shown', ' and handed to the screen']]) {
    const sorted = samples.map((sample) => sample[part]).toSorted((a, b) => a - b);
    for (const [label, share] of [['p50', 0.5], ['p99', 0.99], ['worst', 1]]) {
      const value = sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)];
      row(`${name}${words}, ${label}`, `${value.toFixed(1)} ms`);
    }
  }
}
