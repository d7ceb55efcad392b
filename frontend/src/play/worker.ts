/** The worker of the workshop, as a file of its own. */
import { serveWorkshop } from "./serving";

serveWorkshop();
