// What a basket costs.

/** Cents with VAT, each line rounded by itself. */
export function total(lines, vat = 0.19) {
  return lines.reduce((sum, { cents, count }) => sum + Math.round(cents * count * (1 + vat)), 0);
}

export function freeShipping(lines) {
  return total(lines) >= 5000;
}
