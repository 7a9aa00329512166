import type { Socket } from "node:net";
import tls, { type TLSSocket, type TLSSocketOptions } from "node:tls";
import { PROXY_HEADER_BYTES, readProxyHeader } from "../proxy_protocol.ts";

/**
 * Takes a connection on which TLS follows, behind a PROXY header if the peer is one that may say who
 * stands behind it.
 *
 * @param proxied whether the header comes first
 * @param done gets the connection after its handshake, and the client that the header names
 * @param failed is called instead where either is bad or does not come within `withinMs`
 */
export function acceptTls(
  socket: Socket,
  options: Omit<TLSSocketOptions, "isServer">,
  proxied: boolean,
  withinMs: number,
  done: (secure: TLSSocket, client: string | undefined) => void,
  failed: () => void,
): void {
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    socket.destroy();
    failed();
  };
  const timer = setTimeout(end, withinMs);
  socket.on("error", end);
  socket.on("close", end);
  const shake = (client: string | undefined) => {
    const secure = new tls.TLSSocket(socket, { ...options, isServer: true });
    secure.on("error", end);
    secure.once("secure", () => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      done(secure, client);
    });
  };
  if (!proxied) return shake(undefined);
  const bytes = new Uint8Array(PROXY_HEADER_BYTES);
  let length = 0;
  const onData = (chunk: Uint8Array) => {
    if (length + chunk.length > bytes.length && length > 0) return end();
    // A hello of TLS may stand behind the header in the same piece.
    const fits = Math.min(chunk.length, bytes.length - length);
    bytes.set(chunk.subarray(0, fits), length);
    length += fits;
    const header = readProxyHeader(bytes, length);
    if (header.kind === "bad") return end();
    if (header.kind === "more") return;
    socket.off("data", onData);
    socket.pause();
    const used = header.end - (length - fits);
    if (used < chunk.length) socket.unshift(chunk.subarray(used));
    shake(header.client);
  };
  socket.on("data", onData);
}
