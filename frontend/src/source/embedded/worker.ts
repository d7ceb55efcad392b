/** The worker of the desk, as a file of its own. */
import { serveDesk } from "./serving";

serveDesk();
