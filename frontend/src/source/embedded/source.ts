/** The source that a report carries in its own file. */
import { HttpSource } from "../http";

export class EmbeddedSource extends HttpSource {
  static isHere(): boolean {
    return document.getElementById("convlens-contents") !== null;
  }
}
