// A TCP connection and a channel of a stream as one: each way ends by itself, as TCP's own do.

import type { Duplex } from "./stream_link.ts";

/**
 * Carries both ways to their ends and closes the connection.
 *
 * @param broken is told once why, where it did not end well
 */
export async function joinConnection(
  channel: Duplex,
  connection: Deno.TcpConn,
  broken: (why: string) => void = () => {},
): Promise<void> {
  connection.setNoDelay();
  let isBroken = false;
  const failed = (error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    channel.reset(why);
    close(connection);
    if (!isBroken) broken(why);
    isBroken = true;
  };
  await Promise.all([
    into(channel, connection).catch(failed),
    out(channel, connection).catch(failed),
  ]);
  close(connection);
}

async function into(channel: Duplex, connection: Deno.TcpConn): Promise<void> {
  for await (const chunk of channel.readable) {
    for (let at = 0; at < chunk.length;) at += await connection.write(chunk.subarray(at));
  }
  await connection.closeWrite();
}

// Not by the connection's own `readable`, which closes both ways when one has ended.
async function out(channel: Duplex, connection: Deno.TcpConn): Promise<void> {
  const writer = channel.writable.getWriter();
  const buffer = new Uint8Array(32_768);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return await writer.close();
    await writer.write(buffer.slice(0, count));
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}
