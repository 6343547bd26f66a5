import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";

/** A call as it arrived. */
export interface Heard {
  path: string;
  headers: IncomingHttpHeaders;
  /** The request's message, still encoded. */
  body: Uint8Array;
}

/** A real HTTP server, which answers the calls of one test. */
export interface ScriptedServer {
  url: string;
  heard: Heard[];
  close(): Promise<void>;
}

/** Starts a server. `answer` gets the number of the call, from 1. */
export async function serve(
  answer: (response: ServerResponse, heard: Heard, n: number) => void,
): Promise<ScriptedServer> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = new Uint8Array(Buffer.concat(chunks).subarray(5));
      const one = { path: request.url ?? "", headers: request.headers, body };
      answer(response, one, heard.push(one));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Returns the decoded request of a call. */
export function requestOf<D extends DescMessage>(schema: D, { body }: Heard) {
  return fromBinary(schema, body);
}

/** Begins an answer with one message, without its end. */
export function begin<D extends DescMessage>(
  response: ServerResponse,
  schema: D,
  message: MessageInitShape<D> = {} as MessageInitShape<D>,
): void {
  response.writeHead(200, { "content-type": "application/grpc-web+proto" });
  response.write(frame(0, toBinary(schema, create(schema, message))));
}

/** Answers with one message. */
export function reply<D extends DescMessage>(
  response: ServerResponse,
  schema: D,
  message?: MessageInitShape<D>,
): void {
  begin(response, schema, message);
  response.end(frame(0x80, new TextEncoder().encode("grpc-status:0\r\n")));
}

/** Answers with an error, as vintedbot does. */
export function refuse(response: ServerResponse, error: ConnectError): void {
  const headers = setTrailerStatus(new Headers(), error);
  response.writeHead(200, { ...Object.fromEntries(headers), "content-type": "application/grpc-web+proto" });
  response.end();
}

/** Answers as something that is not vintedbot. */
export function page(
  response: ServerResponse,
  status: number,
  contentType = "text/html",
  text = "<p>Hi",
): void {
  response.writeHead(status, contentType === "" ? {} : { "content-type": contentType });
  response.end(contentType === "" ? "" : text);
}

/** Returns a frame of gRPC-web. */
export function frame(flags: number, data: Uint8Array): Uint8Array {
  const framed = new Uint8Array(5 + data.length);
  framed[0] = flags;
  new DataView(framed.buffer).setUint32(1, data.length);
  framed.set(data, 5);
  return framed;
}
