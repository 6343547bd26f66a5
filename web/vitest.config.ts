import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    preserveSymlinks: true,
    dedupe: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web"],
  },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Bundled with the tests, so that both use one copy of Connect.
    server: { deps: { inline: [/@vintedbot/, /@connectrpc/, /@bufbuild/] } },
  },
});
