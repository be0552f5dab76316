import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// `npm run dev` serves the page by itself and asks this daemon for the data.
const daemon = process.env.CLAWATCH_URL ?? "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../plugins/clawatch_plugins/dashboard/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the page's Content-Security-Policy admits files of its own, and nothing inline
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": daemon, "/ws": { target: daemon, ws: true } } },
});
