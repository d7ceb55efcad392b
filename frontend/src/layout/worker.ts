/** The worker that lays graphs out, as a file of its own. */
import { serveLayout } from "./serving";

serveLayout();
