/** The lessons, each kept as it was left for as long as the page is open. */
import { Lesson } from "./lesson.svelte";
import { LESSONS, type Name } from "./lessons";

const opened = new Map(LESSONS.map((name) => [name, new Lesson(name)]));

export function lessonOf(name: Name): Lesson {
  return opened.get(name) as Lesson;
}
