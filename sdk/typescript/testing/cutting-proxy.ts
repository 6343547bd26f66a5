import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy in front of one server, which can disturb its connections. */
export interface CuttingProxy {
  url: string;
  /** Drops every open connection at once, also in the middle of a message. Returns their number. */
  cut(): number;
  /** The number of open connections. */
  connections(): number;
  /** Stops to forward on the open connections, without closing them. New connections work. */
  hold(): void;
  /** Answers each new connection with this HTTP response in the server's place. Absent: forwards again. */
  answerWith(response?: string): void;
  /** Refuses new connections, until this is called again with false. */
  refuse(isRefusing: boolean): void;
  /** Makes new connections forward nothing, until this is called again with false. */
  stall(isStalled: boolean): void;
  close(): void;
}

export async function cuttingProxy(target: URL): Promise<CuttingProxy> {
  const open = new Set<Socket>();
  const pairs = new Set<{ client: Socket; upstream: Socket }>();
  let answer: string | undefined;
  let isStalled = false;
  let isRefusing = false;
  const server = createServer((client) => {
    if (isRefusing) {
      client.resetAndDestroy();
      return;
    }
    if (answer !== undefined) {
      const text = answer;
      client.on("error", () => client.destroy());
      client.on("data", () => client.end(text));
      return;
    }
    const upstream = connect(Number(target.port || 80), target.hostname);
    const pair = { client, upstream };
    pairs.add(pair);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        open.delete(socket);
        pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
    if (!isStalled) client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): number => {
    const count = open.size / 2;
    for (const socket of open) socket.resetAndDestroy();
    return count;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    connections: () => pairs.size,
    hold() {
      for (const { client, upstream } of pairs) {
        client.unpipe().pause();
        upstream.unpipe().pause();
      }
    },
    refuse(refusing) {
      isRefusing = refusing;
    },
    answerWith(response) {
      answer = response;
    },
    stall(stalled) {
      isStalled = stalled;
    },
    close() {
      server.close();
      cut();
    },
  };
}
