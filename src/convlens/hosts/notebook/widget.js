// The viewer in a notebook's cell: a frame of its own, and the messages between it and the kernel.
//
// The frame keeps the page's styles, keys and history apart from the notebook's. It asks through a message port; each
// question goes to the kernel as a custom message with the name of this view, each answer comes back the same way.

const CHOSEN = ["layer", "channel", "pixel"];

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  const away = document.createElement("style");
  const frame = document.createElement("iframe");
  frame.title = model.get("_title");
  frame.allow = "clipboard-write; fullscreen";
  frame.style.cssText = "display:block;width:100%;border:0;border-radius:6px;color-scheme:auto";
  let port = null;
  let told = null; // what the page has said last of what it shows
  let turn = 0; // how often the page was told to go elsewhere; what it said before that is old

  const chosen = () => Object.fromEntries(CHOSEN.map((name) => [name, model.get(name)]));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const ask = (content, buffers) => model.send({ ...content, view }, undefined, buffers);

  function heard({ data }) {
    if (data.shown) {
      if (data.turn < turn) return;
      told = data.shown;
      if (same(told, chosen())) return;
      for (const name of CHOSEN) model.set(name, told[name]);
      model.save_changes();
    } else {
      ask(data.question, data.file ? [data.file] : []);
    }
  }

  let waiting = null;
  function changed() {
    if (waiting !== null || same(told, chosen())) return;
    turn += 1;
    waiting = setTimeout(() => {
      waiting = null;
      told = chosen();
      port?.postMessage({ show: told, turn });
    }, 20);
  }

  function answered(content, buffers) {
    if (content.view !== view) return;
    const data = (buffers ?? []).map((one) => bytesOf(one));
    if (content.page) open(new TextDecoder().decode(data[0]));
    else port?.postMessage({ answer: content, data: data[0] ?? null }, data);
  }

  function open(page) {
    if (port) return;
    frame.addEventListener("load", () => {
      const line = new MessageChannel();
      port?.close();
      port = line.port1;
      port.onmessage = heard;
      told = chosen();
      frame.contentWindow.postMessage("convlens", "*", [line.port2]);
    });
    frame.srcdoc = page;
    el.append(frame);
    putAway(model.get("_kept"));
  }

  let dark = isDark();
  const themes = new MutationObserver(() => {
    if (dark === isDark()) return;
    dark = isDark();
    port?.postMessage({ dark });
  });
  themes.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "data-theme"] });

  const grow = () => (frame.style.height = `${model.get("height")}px`);
  grow();
  model.on("msg:custom", answered);
  model.on("change:height", grow);
  for (const name of CHOSEN) model.on(`change:${name}`, changed);
  // A view without a kernel, as in an exported page, never hears the answer: it takes no room, and the kept viewer stays.
  ask({ ask: "page", with: { dark }, id: "page" });

  /** Hides the viewer that is kept for files: in the notebook this one shows the same. */
  function putAway(name) {
    const kept = `[data-convlens-kept="${CSS.escape(name)}"]`;
    away.textContent = `${kept}, .jp-OutputArea-child:has(${kept}), .output_area:has(${kept}) { display: none !important }`;
    document.head.append(away);
  }

  return () => {
    themes.disconnect();
    away.remove();
    clearTimeout(waiting);
    model.off("msg:custom", answered);
    model.off("change:height", grow);
    for (const name of CHOSEN) model.off(`change:${name}`, changed);
    port?.close();
    frame.remove();
  };
}

/** The notebook's own theme, where it tells one. */
function isDark() {
  const { jpThemeLight, theme } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (theme !== undefined) return theme.includes("dark");
  if (document.body.classList.contains("vscode-dark")) return true;
  if (document.body.classList.contains("vscode-light")) return false;
  return null;
}

function bytesOf(view) {
  if (view instanceof ArrayBuffer) return view.slice(0);
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}

export default { render };
