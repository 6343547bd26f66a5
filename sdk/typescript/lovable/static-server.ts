import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
};

/** A web server for the files of one folder, as a host of static pages is. */
export interface StaticServer {
  port: number;
  close(): void;
}

/** Serves a folder on a free port. Paths without a file get `index.html`, because the page routes them itself. */
export async function serveFolder(folder: string): Promise<StaticServer> {
  const server = createServer(async ({ url = "/" }, response) => {
    const path = normalize(new URL(url, "http://page").pathname);
    const name = extname(path) === "" ? "index.html" : path;
    try {
      const content = await readFile(join(folder, name));
      response.setHeader("content-type", contentTypes[extname(name)] ?? "application/octet-stream");
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0);
  await once(server, "listening");
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

/** Returns a port of this machine on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
