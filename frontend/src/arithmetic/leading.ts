/** The largest of many numbers, in order, without sorting them all. */

/** Where the `most` largest of `sizes` stand: largest first, of equals the earlier, NaN last; only where `allowed` isn't 0. */
export function leading(sizes: Float64Array, most: number, allowed: Uint8Array | null = null): number[] {
  const places: number[] = [];
  if (most >= sizes.length) {
    for (let n = 0; n < sizes.length; n++) if (!allowed || allowed[n]) places.push(n);
    return places.sort((one, other) => rank(sizes[other] as number) - rank(sizes[one] as number) || one - other);
  }
  // The best so far, in order; whatever comes later must be larger to stand before one of them.
  for (let n = 0; n < sizes.length; n++) {
    if (allowed && !allowed[n]) continue;
    const own = rank(sizes[n] as number);
    let at = places.length;
    if (at === most && !(own > rank(sizes[places[at - 1] as number] as number))) continue;
    while (at > 0 && own > rank(sizes[places[at - 1] as number] as number)) at--;
    places.splice(at, 0, n);
    if (places.length > most) places.pop();
  }
  return places;
}

/** Sizes are never negative: NaN is made the least. Infinities are held, since their difference would be NaN. */
function rank(size: number): number {
  return size !== size ? -1 : size > Number.MAX_VALUE ? Number.MAX_VALUE : size;
}
