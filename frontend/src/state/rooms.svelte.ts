/** Which room of the page a person is in - See, Play or Learn - and what of it stands in the address. */

export const ROOMS = ["see", "play", "learn"] as const;
export type Room = (typeof ROOMS)[number];

/** The room that an address leads to; See where it names none. */
export function roomOf(hash: string): Room {
  const name = /^#\/(\w+)/.exec(hash)?.[1];
  return ROOMS.find((room) => room === name) ?? "see";
}

/** A frame within a notebook has no address of its own: there the room is remembered here alone. */
function hasAddress(): boolean {
  return typeof location !== "undefined" && location.protocol !== "about:";
}

class Rooms {
  /** What stands behind the `#`: of Play and Learn all of it; See keeps its own in the View. */
  hash = $state("");
  readonly room: Room = $derived(roomOf(this.hash));
  /** Where a person was last in each room, so that the way back leads there. */
  readonly last: Record<Room, string> = $state({ see: "#/see", play: "#/play", learn: "#/learn" });

  /** The address has changed by itself: it was opened, or the person went back or forth. */
  follow(hash: string): void {
    this.hash = hash;
    this.last[this.room] = hash || "#/see";
  }

  /** Goes somewhere, with a step that can be undone by going back. */
  go(hash: string): void {
    if (hasAddress() && location.hash !== hash) history.pushState({ from: this.room }, "", hash);
    this.follow(hash);
  }

  /** Whether a step back stays in this room. */
  get undoable(): boolean {
    return hasAddress() && (history.state as { from?: Room } | null)?.from === this.room;
  }

  /** The state of the room that is shown has changed: the address follows, without a step. */
  rewrite(hash: string): void {
    if (roomOf(hash) !== this.room) return;
    if (hasAddress() && location.hash !== hash) history.replaceState(history.state, "", hash);
    this.follow(hash);
  }
}

export const rooms = new Rooms();
