/**
 * The numbers that `numpy.random.default_rng([a, b])` draws: NumPy's SeedSequence and PCG64 (XSL-RR, 128 bits of state).
 *
 * M. O'Neill, "PCG: A family of simple fast space-efficient statistically good algorithms for random number generation",
 * 2014; SeedSequence after her "Developing a seed_seq alternative". With them a sketch and a seed make the same weights
 * here as in Python.
 */

const POOL = 4;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const MASK64 = (1n << 64n) - 1n;
const MASK128 = (1n << 128n) - 1n;

export class Stream {
  #state: bigint;
  readonly #step: bigint;
  #kept: number | null = null;

  /** Each number from 0 to 2^32 - 1. */
  constructor(entropy: readonly number[]) {
    const words = seedWords(entropy, 8);
    const long = (n: number) => (BigInt(words[n + 1] as number) << 32n) | BigInt(words[n] as number);
    const start = (long(0) << 64n) | long(2);
    const sequence = (long(4) << 64n) | long(6);
    this.#step = ((sequence << 1n) | 1n) & MASK128;
    this.#state = (this.#step + start) & MASK128;
    this.#advance();
  }

  /** The next float32 from 0 up to but not including 1. */
  next(): number {
    return (this.#whole() >>> 8) / 16_777_216;
  }

  #advance(): void {
    this.#state = (this.#state * MULTIPLIER + this.#step) & MASK128;
  }

  /** 32 bits; of each 64 the lower ones first. */
  #whole(): number {
    if (this.#kept !== null) {
      const kept = this.#kept;
      this.#kept = null;
      return kept;
    }
    this.#advance();
    const high = this.#state >> 64n;
    const mixed = (high ^ this.#state) & MASK64;
    const turn = high >> 58n;
    const turned = ((mixed >> turn) | (mixed << (64n - turn))) & MASK64;
    this.#kept = Number(turned >> 32n);
    return Number(turned & 0xffffffffn);
  }
}

/** `count` words of 32 bits, mixed from the entropy. */
function seedWords(entropy: readonly number[], count: number): Uint32Array {
  let factor = 0x43b0d7e5;
  const hashed = (value: number) => {
    let found = value ^ factor;
    factor = Math.imul(factor, 0x931e8875);
    found = Math.imul(found, factor);
    return (found ^ (found >>> 16)) >>> 0;
  };
  const mixed = (x: number, y: number) => {
    const found = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
    return (found ^ (found >>> 16)) >>> 0;
  };
  const pool = Uint32Array.from({ length: POOL }, (_, n) => hashed(entropy[n] ?? 0));
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) if (from !== to) pool[to] = mixed(pool[to] as number, hashed(pool[from] as number));
  }
  for (const value of entropy.slice(POOL)) for (let to = 0; to < POOL; to++) pool[to] = mixed(pool[to] as number, hashed(value));
  let other = 0x8b51f9dd;
  return Uint32Array.from({ length: count }, (_, n) => {
    let found = (pool[n % POOL] as number) ^ other;
    other = Math.imul(other, 0x58f38ded);
    found = Math.imul(found, other);
    return (found ^ (found >>> 16)) >>> 0;
  });
}
