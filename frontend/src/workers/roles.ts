/** What the viewer's text does in a worker that it has started of itself. */
import { serveLayout } from "../layout/serving";
import { serveWorkshop } from "../play/serving";
import { serveDesk } from "../source/embedded/serving";
import type { Role } from "./starting";

const ROLES: Record<Role, () => void> = { layout: serveLayout, desk: serveDesk, workshop: serveWorkshop };

/** Whether this is a worker; it then does its work. */
export function worksHere(): boolean {
  if (typeof document !== "undefined") return false;
  ROLES[self.name as Role]();
  return true;
}
