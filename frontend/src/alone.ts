/**
 * The viewer that stands alone: in a report's file with its data beside it, or in a notebook that answers it. The same text
 * is the viewer's workers.
 */
import "./workers/standin";
import { mount } from "svelte";
import Pages from "./Pages.svelte";
import { EmbeddedSource } from "./source/embedded/source";
import { portSource } from "./source/port";
import { addressOf, keepInStep } from "./source/port/step.svelte";
import type { Source } from "./source/source";
import { rooms } from "./state/rooms.svelte";
import { View } from "./state/view.svelte";
import { worksHere } from "./workers/roles";
import "./theme.css";


function show(source: Source, hash: string): View {
  rooms.follow(hash);
  const view = new View(source);
  const target = document.getElementById("page");
  target?.replaceChildren(); // what stands there for a viewer that doesn't start
  if (target) mount(Pages, { target, props: { view } });
  void view.start(rooms.room === "see" ? hash : "");
  return view;
}

function begin(): void {
  if (EmbeddedSource.isHere()) {
    const view = show(new EmbeddedSource(), location.hash || (document.documentElement.dataset["opening"] ?? ""));
    window.addEventListener("popstate", () => {
      rooms.follow(location.hash);
      if (rooms.room === "see") void view.goTo(location.hash);
    });
  } else {
    void portSource().then(async (source) => {
      const view = show(source, addressOf(await source.opening()));
      keepInStep(view, source.line);
    });
  }
}

if (!worksHere()) begin();
