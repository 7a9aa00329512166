import { Failure } from "../../core/errors.ts";
import { joinConnection } from "../../core/live/stream_tcp.ts";
import { STREAM_CHANNELS } from "../../core/limits.ts";
import { type Context, DONE } from "../command.ts";
import { streamsOf } from "../stream.ts";

/** Channels below are those of commands and copies. */
const FIRST_CHANNEL = 2;

/** Lets programs of this machine connect to a replica's port, until it is interrupted. */
export async function run({ arguments: args, output }: Context): Promise<number> {
  const [named = "", ports = ""] = args.positional;
  const { local, remote } = portsOf(ports);
  const streams = await streamsOf(args);
  using listener = listen(local);
  const { link, exit, replica, node } = await streams.open(named, {
    kind: "forward",
    ...(remote === undefined ? {} : { port: remote }),
  });
  const { port } = listener.addr as Deno.NetAddr;
  let next = FIRST_CHANNEL;
  let open = 0;
  const accept = async () => {
    for await (const connection of listener) {
      if (open >= STREAM_CHANNELS) {
        output.note(`a connection was refused: ${STREAM_CHANNELS} are open already`);
        connection.close();
        continue;
      }
      open++;
      const channel = link.channel(next++, true);
      joinConnection(channel, connection, (why) => output.note(`a connection ended: ${why}`))
        .finally(() => open--);
    }
  };
  accept().catch(() => {});
  if (args.has("json")) {
    output.print(JSON.stringify({ listening: { host: HOST, port }, replica, node }));
  } else {
    const to = remote === undefined ? "its port" : `port ${remote}`;
    output.print(`${HOST}:${port} -> ${to} of ${replica} on ${node}; Ctrl-C ends it`);
  }
  const { promise: stopped, resolve } = Promise.withResolvers<null>();
  const stop = () => resolve(null);
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
  const ended = await Promise.race([stopped, exit]);
  link.close();
  if (ended?.error !== undefined) throw new Failure("forward", ended.error);
  return DONE;
}

const HOST = "127.0.0.1";

function listen(port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: HOST, port });
  } catch (error) {
    throw new Failure(
      "port-taken",
      `cannot listen at ${HOST}:${port}: ${(error as Error).message}; choose another LOCAL port, ` +
        "or 0 for any",
    );
  }
}

/** Reads `LOCAL[:REMOTE]`. @throws {Failure} `usage` */
function portsOf(text: string): { readonly local: number; readonly remote?: number } {
  const match = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(text);
  const [local, remote] = [Number(match?.[1]), match?.[2] === undefined ? null : Number(match[2])];
  if (!match || local > 65_535 || remote === 0 || (remote ?? 0) > 65_535) {
    throw new Failure("usage", `skr8tr port-forward needs LOCAL[:REMOTE], not ${text}`);
  }
  return { local, ...(remote === null ? {} : { remote }) };
}
