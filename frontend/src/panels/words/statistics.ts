/** What a layer's maps hold: each number's name, how it is shown, and all of its digits. */
import type { MapFact } from "../../source/facts";
import { t } from "../../words";
import { count, full, short } from "../numbers";

export function statisticsOf(map: MapFact): [name: string, shown: string, whole: string][] {
  const all = map.shape.reduce((product, size) => product * size, 1);
  const row = (name: string, value: number | null): [string, string, string] => [name, value === null ? "–" : short(value, 6), full(value)];
  const part = (name: string, share: number): [string, string, string] => [
    name,
    share === 0 ? "0" : t("words.ofAll", { share: `${short(100 * share, 3)} %`, count: count(all) }),
    count(Math.round(share * all)),
  ];
  return [
    row(t("words.minimum"), map.minimum),
    row(t("words.maximum"), map.maximum),
    row(t("words.mean"), map.mean),
    row(t("words.deviation"), map.deviation),
    part(t("words.zeros"), map.zeros),
    part(t("words.nan"), map.nan / all),
    part(t("words.infinite"), map.infinite / all),
  ];
}
