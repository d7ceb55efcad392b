/** The page that the server serves. */
import { mount } from "svelte";
import Pages from "./Pages.svelte";
import { HttpSource } from "./source/http";
import { rooms } from "./state/rooms.svelte";
import { View } from "./state/view.svelte";
import "./theme.css";

const view = new View(new HttpSource());
rooms.follow(location.hash);
const target = document.getElementById("page");
if (target) mount(Pages, { target, props: { view } });
void view.start(rooms.room === "see" ? location.hash : "");
window.addEventListener("popstate", () => {
  rooms.follow(location.hash);
  if (rooms.room === "see") void view.goTo(location.hash);
});
