/**
 * The colours that numbers take: the same palettes, byte for byte, as the drawings that Python makes.
 *
 * Indices 0 to 238 are the colour map (zero has the middle one of its own), the last are reserved for what isn't a
 * number on the scale. Even steps for the eye: the anchors are joined in OKLab (Björn Ottosson, 2020).
 */

type Triple = readonly [number, number, number];

export const COLOURS = 239;
export const MIDDLE = 119;
export const NOT_A_NUMBER = 248;
export const PLUS_INFINITY = 249;
export const MINUS_INFINITY = 250;

const PAGE_GREY = 240; // the first of the greys that text is drawn with
const TEXT_LEVELS = 7;
const PAGE: Triple = [255, 255, 255];
const INK: Triple = [31, 36, 48];
const NEUTRAL: Triple = [244, 244, 242];
const RESERVED: readonly [number, Triple][] = [
  [NOT_A_NUMBER, [255, 45, 166]],
  [PLUS_INFINITY, [126, 222, 30]],
  [MINUS_INFINITY, [0, 0, 0]],
  [251, [238, 239, 241]], // empty
  [252, [214, 217, 222]], // frame
  [253, [138, 144, 156]], // strike
];

// Lightness, chroma, hue in degrees: blue and orange stay apart in every common form of colour blindness.
const NEGATIVE: Triple[] = [
  [0.33, 0.105, 268],
  [0.55, 0.15, 256],
  [0.78, 0.095, 242],
];
const POSITIVE: Triple[] = [
  [0.78, 0.12, 62],
  [0.58, 0.165, 41],
  [0.36, 0.11, 28],
];
const SEQUENTIAL: Triple[] = [
  [0.21, 0.055, 282],
  [0.4, 0.105, 264],
  [0.58, 0.105, 220],
  [0.77, 0.105, 172],
  [0.965, 0.075, 106],
];

const made = new Map<boolean, Uint8Array>();

/** All 256 colours as sRGB bytes, 3 a colour; not to be written to. */
export function palette(diverging: boolean): Uint8Array {
  const known = made.get(diverging);
  if (known) return known;
  const colours = new Uint8Array(256 * 3);
  for (let n = 0; n < 256; n++) colours.set(PAGE, n * 3);
  colourMap(diverging).forEach((colour, n) => colours.set(colour, n * 3));
  for (let n = 0; n <= TEXT_LEVELS; n++) {
    const share = n / TEXT_LEVELS;
    colours.set(
      PAGE.map((page, axis) => Math.round((1 - share) * page + share * (INK[axis] ?? 0))),
      (PAGE_GREY + n) * 3,
    );
  }
  for (const [index, colour] of RESERVED) colours.set(colour, index * 3);
  made.set(diverging, colours);
  return colours;
}

/** The colour of an index as CSS writes it. */
export function css(diverging: boolean, index: number): string {
  const colours = palette(diverging);
  return `rgb(${colours[index * 3]} ${colours[index * 3 + 1]} ${colours[index * 3 + 2]})`;
}

/** The text colour that stands out more from the colour of an index: black or white, by WCAG's contrast. */
export function inkOn(diverging: boolean, index: number): "#000" | "#fff" {
  const colours = palette(diverging);
  const channel = (n: number) => linear((colours[index * 3 + n] ?? 0) / 255);
  const luminance = 0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2);
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? "#000" : "#fff";
}

function colourMap(diverging: boolean): Triple[] {
  if (!diverging) return evenSteps(SEQUENTIAL.map(fromPolar), COLOURS).map(bytes);
  const neutral = toOklab(NEUTRAL);
  const negative = evenSteps([...NEGATIVE.map(fromPolar), neutral], MIDDLE + 1);
  const positive = evenSteps([neutral, ...POSITIVE.map(fromPolar)], MIDDLE + 1);
  return [...negative.slice(0, -1), ...positive].map(bytes);
}

function fromPolar([lightness, chroma, hue]: Triple): Triple {
  const radians = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(radians), chroma * Math.sin(radians)];
}

/** `count` colours along the line through the anchors, at equal distances from one another. */
function evenSteps(anchors: Triple[], count: number): Triple[] {
  const lengths = [0];
  for (let n = 1; n < anchors.length; n++) {
    const [a, b] = [anchors[n - 1], anchors[n]] as [Triple, Triple];
    lengths.push((lengths[n - 1] ?? 0) + Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]));
  }
  const total = lengths[lengths.length - 1] ?? 0;
  const steps: Triple[] = [];
  let part = 0;
  for (let n = 0; n < count; n++) {
    const place = n === count - 1 ? total : (n * total) / (count - 1);
    while (part < anchors.length - 2 && place >= (lengths[part + 1] ?? 0)) part++;
    const [from, to] = [lengths[part] ?? 0, lengths[part + 1] ?? 0];
    const [a, b] = [anchors[part], anchors[part + 1]] as [Triple, Triple];
    const share = (place - from) / (to - from);
    steps.push([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])]);
  }
  return steps;
}

function linear(srgb: number): number {
  return srgb <= 0.04045 ? srgb / 12.92 : ((srgb + 0.055) / 1.055) ** 2.4;
}

function bytes([lightness, a, b]: Triple): Triple {
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const byte = (value: number) => {
    const inside = Math.min(Math.max(value, 0), 1);
    const srgb = inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055;
    return Math.round(srgb * 255);
  };
  return [
    byte(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
    byte(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
    byte(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short),
  ];
}

function toOklab(colour: Triple): Triple {
  const [red, green, blue] = colour.map((byte) => linear(byte / 255)) as [number, number, number];
  const long = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const medium = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const short = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  return [
    0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
    1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
    0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
  ];
}
