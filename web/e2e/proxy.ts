/** A proxy in front of an instance that can cut all connections and refuse calls. */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Front {
  url: string;
  /** Ends all connections and refuses new calls until `restore`. */
  cut(): void;
  restore(): void;
  close(): void;
}

export async function serve(instanceUrl: string): Promise<Front> {
  let isCut = false;
  const sockets = new Set<Socket>();
  const target = new URL(instanceUrl);
  const server = createServer((incoming, response) => {
    const path = incoming.url ?? "/";
    const isCall = /^\/(vintedbot\.v1\.|media\/|preview\/|health)/.test(path);
    if (isCall && isCut) incoming.socket.destroy();
    else pass(target, incoming, response);
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    restore() {
      isCut = false;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function pass(target: URL, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, url, headers } = incoming;
  const options = { host: target.hostname, port: target.port, method, path: url, headers };
  const outgoing = request(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
    answer.on("error", () => response.destroy());
    answer.on("aborted", () => response.destroy());
  });
  outgoing.on("error", () => response.destroy());
  response.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}
