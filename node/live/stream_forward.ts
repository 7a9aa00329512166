// Connections of an operator to a replica's own ports, several at once through one stream.

import type { ForwardDetails } from "../../core/stream/details.ts";
import { exitContent } from "../../core/stream/frames.ts";
import { STREAM_CHANNELS } from "../../core/limits.ts";
import { StreamLink } from "../../core/live/stream_link.ts";
import { joinConnection } from "../../core/live/stream_tcp.ts";
import type { Begun, StreamParts } from "./streams.ts";

/** Carries connections until the operator ends the stream. */
export async function serveForward(
  parts: StreamParts,
  { opened, socket, cipher, details }: Begun & { readonly details: ForwardDetails },
  begin: () => void,
): Promise<void> {
  const { replica } = opened;
  const link = new StreamLink({
    socket,
    cipher,
    channels: STREAM_CHANNELS,
    control: () => {},
    opened: (channel) => {
      connect(parts, replica, details.port).then(
        (connection) => joinConnection(channel, connection),
        (error) => channel.reset((error as Error).message),
      );
    },
  });
  link.begin();
  begin();
  const refused = whyNone(parts, replica, details.port);
  if (refused !== null) await link.exit(exitContent({ code: 1, error: refused }));
  await link.over;
}

/** Why no port can be meant; `null` where one is. */
function whyNone(parts: StreamParts, replica: string, port: number | undefined): string | null {
  const { own } = parts.portsOf(replica);
  if (port !== undefined || own !== undefined) return null;
  return `${replica} has no port in its manifest: name one that it listens at, as LOCAL:REMOTE`;
}

/**
 * Connects to a port of the replica's and of nobody else's: the one it was given, or one at which a
 * process of its group listens.
 *
 * @throws {Error} with what the operator is told.
 */
async function connect(
  parts: StreamParts,
  replica: string,
  wanted: number | undefined,
): Promise<Deno.TcpConn> {
  const { own, named } = parts.portsOf(replica);
  const port = wanted === undefined || wanted === named ? own ?? wanted : wanted;
  if (port === undefined) throw new Error(`${replica} has no port`);
  const group = parts.processes.groupOf(replica);
  if (!group) throw new Error(`${replica} does not run any more`);
  const hosts = [...new Set([parts.host, "127.0.0.1"])];
  for (const hostname of hosts) {
    const { owner } = await parts.helper.owner(group, hostname, port);
    // Where nobody can tell whose it is, the port that the node gave it is its own.
    if (owner === "other" || (owner === "unknown" && port !== own)) continue;
    try {
      return await Deno.connect({ hostname, port });
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
  }
  throw new Error(`${replica} does not listen at port ${port} of ${parts.name}`);
}
