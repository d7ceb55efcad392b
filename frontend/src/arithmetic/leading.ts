/** The largest of many numbers, in order, without sorting them all. */

/** Where the `most` largest of `sizes` stand: largest first, of equals the earlier, NaN last; only where `allowed` isn't 0. */
export function leading(sizes: Float64Array, most: number, allowed: Uint8Array | null = null): number[] {
  const places: number[] = [];
  const threshold = thresholdOf(sizes, most, allowed);
  sizes.forEach((size, n) => {
    if ((!allowed || allowed[n]) && rank(size) >= threshold) places.push(n);
  });
  places.sort((one, other) => rank(sizes[other] as number) - rank(sizes[one] as number) || one - other);
  return places.slice(0, most);
}

/** Sizes are never negative: NaN is made the least. Infinities are held, since their difference would be NaN. */
function rank(size: number): number {
  return Number.isNaN(size) ? -1 : Math.min(size, Number.MAX_VALUE);
}

/** A size that at least `most` reach, and not many more: so that few are sorted. */
function thresholdOf(sizes: Float64Array, most: number, allowed: Uint8Array | null): number {
  if (sizes.length <= 16 * most) return -1;
  const held = allowed ? sizes.filter((_, n) => allowed[n]) : sizes;
  return rank(Float64Array.from(held, rank).sort()[Math.max(0, held.length - most)] ?? -1);
}
