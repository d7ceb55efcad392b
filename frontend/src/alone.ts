/** The viewer that stands alone: in a report's file with its data beside it, or in a notebook that answers it. */
import { mount } from "svelte";
import App from "./App.svelte";
import { EmbeddedSource } from "./source/embedded/source";
import { portSource } from "./source/port";
import type { Source } from "./source/source";
import { View } from "./state/view.svelte";
import "./theme.css";

const target = document.getElementById("page");

function show(source: Source): void {
  const view = new View(source);
  if (target) mount(App, { target, props: { view } });
  void view.start(location.hash);
  window.addEventListener("popstate", () => void view.goTo(location.hash));
}

if (EmbeddedSource.isHere()) show(new EmbeddedSource());
else void portSource().then(show);
