import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The server of `npm run dev`: the address of an instance, such as http://127.0.0.1:50051. */
const server = process.env["VINTEDBOT_URL"] ?? "http://127.0.0.1:50051";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  // The SDK is linked, so its imports must resolve to the packages of this folder.
  resolve: {
    preserveSymlinks: true,
    dedupe: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web"],
  },
  build: {
    target: "es2022",
    manifest: true,
    // The policy of the console allows no data URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 300,
  },
  server: {
    proxy: {
      "^/(vintedbot\\.v1\\.|media/|preview/|health)": server,
    },
  },
});
