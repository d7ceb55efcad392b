/** The page that the server serves. */
import { mount } from "svelte";
import App from "./App.svelte";
import { HttpSource } from "./source/http";
import { View } from "./state/view.svelte";
import "./theme.css";

const view = new View(new HttpSource());
const target = document.getElementById("page");
if (target) mount(App, { target, props: { view } });
void view.start(location.hash);
window.addEventListener("popstate", () => void view.goTo(location.hash));
