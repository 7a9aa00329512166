import type { Connection } from "./connection.ts";
import type { Upstream } from "./upstream.ts";

/**
 * Carries raw bytes both ways after a switch of protocols, until both sides have ended. One side's
 * end is passed on, the other may go on speaking.
 *
 * @param first our response head, before anything from the replica
 * @param early what the client has already sent
 * @returns how many bytes went to the client
 */
export async function tunnel(
  client: Connection,
  first: Uint8Array,
  early: Uint8Array,
  upstream: Upstream,
): Promise<number> {
  const replica = upstream.connection;
  const toClient = async () => {
    const surplus = upstream.takeSurplus();
    await writeAll(client, first);
    await writeAll(client, surplus);
    return first.length + surplus.length + await pump(replica, client);
  };
  const toReplica = async () => {
    await writeAll(replica, early);
    await pump(client, replica);
  };
  let bytesOut = 0;
  const ends = [toClient().then((count) => bytesOut = count), toReplica()];
  // An error on either side ends both: nothing sensible can follow.
  await Promise.all(ends).catch(() => {});
  return bytesOut;
}

async function pump(from: Connection, to: Connection): Promise<number> {
  const buffer = new Uint8Array(16_384);
  let total = 0;
  for (;;) {
    const count = await from.read(buffer);
    if (count === null) break;
    await writeAll(to, buffer.subarray(0, count));
    total += count;
  }
  await to.closeWrite();
  return total;
}

async function writeAll(to: Connection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}
