/**
 * The viewer's text is also that of its workers. Modules of the page that a worker never uses look at the window as soon as
 * they are loaded; in a worker they find one where nothing ever happens. To be imported before everything else.
 */
if (typeof document === "undefined") {
  const nothing = { matches: false, addEventListener: () => undefined, removeEventListener: () => undefined };
  Object.assign(globalThis, { window: globalThis, matchMedia: () => nothing });
}

export {};
