/** How the viewer that stands alone is built: one script and one style sheet, which reports and notebooks carry. */
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  publicDir: false,
  resolve: { alias: [{ find: /^(\.\.\/)+workers\/starting$/, replacement: fileURLToPath(new URL("./src/workers/starting.alone.ts", import.meta.url)) }] },
  build: {
    outDir: "../src/convlens/hosts/page/alone",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: {
      input: "src/alone.ts",
      output: { format: "iife", inlineDynamicImports: true, entryFileNames: "viewer.js", assetFileNames: "viewer[extname]" },
    },
  },
});
