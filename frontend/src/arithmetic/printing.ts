/** Numbers in the words of the arithmetic, printed as Python prints them, so that both say the same. */

/** Like Python's `f"{value:.9g}"`: so many significant digits, without zeros behind them. */
export function general(value: number, digits = 9): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", power = ""] = exponential(value, digits).split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= digits) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${stripped(mantissa)}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  const sign = mantissa.startsWith("-") ? "-" : "";
  const figures = mantissa.replace(/[-.]/g, "");
  if (exponent < 0) return `${sign}${stripped(`0.${"0".repeat(-exponent - 1)}${figures}`)}`;
  return `${sign}${stripped(`${figures.slice(0, exponent + 1)}.${figures.slice(exponent + 1)}`)}`;
}

/** Like Python's `f"{value:g}"`. */
export function short(value: number): string {
  return general(value, 6);
}

/** Like Python's `f"{value:.0f}"`, of a whole number. */
export function whole(value: number): string {
  if (!Number.isFinite(value)) return general(value);
  return Object.is(value, -0) ? "-0" : BigInt(value).toString();
}

/** Like Python's `f"{count:,}"`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Python rounds what lies exactly between two to the even one, `toExponential` away from zero. */
function exponential(value: number, digits: number): string {
  const text = value.toExponential(digits - 1);
  const exact = value.toExponential(100);
  const figures = (exact.split("e")[0] ?? "").replace(/[-.]/g, "");
  if (!/^50*$/.test(figures.slice(digits))) return text;
  if (Number(figures[digits - 1]) % 2 === 1) return text;
  const kept = figures.slice(0, digits);
  const sign = value < 0 ? "-" : "";
  return `${sign}${kept[0] ?? ""}.${kept.slice(1)}e${exact.split("e")[1] ?? "0"}`;
}

function stripped(text: string): string {
  return text.includes(".") ? text.replace(/\.?0*$/, "") : text;
}
