// The tower's plain commands: what each answers.

import { isLoopback } from "../core/address.ts";
import { DATAGRAM_BYTES } from "../core/limits.ts";
import { parseTowerCommand } from "../core/wire.ts";
import type { Registry } from "./registry.ts";

/** Who may do what without a seal. */
export interface Access {
  /** Networks beyond loopback that may read: `10.0.0.0/8`, or single addresses. */
  mayRead(host: string): boolean;
  /** Whether this address may change the registry and take part in the mesh. */
  mayWrite(host: string): boolean;
}

/**
 * Readers: loopback and `plain`; writers: everybody when the mesh is open, nobody when it is sealed,
 * else loopback.
 */
export function accessOf(
  plain: readonly string[],
  mesh: "open" | "loopback" | "sealed",
  inNetworks: (host: string, networks: readonly string[]) => boolean,
): Access {
  return {
    mayRead: (host) => isLoopback(host) || inNetworks(host.replace(/^::ffff:/, ""), plain),
    mayWrite: (host) => mesh === "open" || (mesh === "loopback" && isLoopback(host)),
  };
}

/**
 * Answers one plain command; `null` where a stranger gets no answer.
 *
 * A stranger's read is not answered, since the reply would be larger than the request (a spoofed
 * address would be flooded by us); its REGISTER and DEREGISTER are answered by something shorter
 * than they are.
 */
export function answerPlain(
  registry: Registry,
  text: string,
  host: string,
  access: Access,
  nowMs: number,
): string | null {
  const command = parseTowerCommand(text);
  if ("error" in command) return access.mayRead(host) ? `ERR|${command.error}` : null;
  switch (command.verb) {
    case "REGISTER": {
      const { name, ip, port } = command;
      if (!access.mayWrite(host)) return "ERR|UNAUTHORIZED";
      // The watch stream and DNS know no names that begin otherwise.
      if (!/^[A-Za-z0-9]/.test(name)) {
        return "ERR|REGISTER needs a service name that begins with a letter or digit";
      }
      const listed = registry.registerV1(name, ip, port, nowMs);
      return listed ? `OK|REGISTERED|${name}` : "ERR|the registry is full";
    }
    case "DEREGISTER": {
      const { name, ip, port } = command;
      if (!access.mayWrite(host)) return "ERR|UNAUTHORIZED";
      const removed = registry.deregisterV1(name, ip, port);
      return removed ? `OK|DEREGISTERED|${name}` : `ERR|NOT_FOUND|${name}`;
    }
    case "LOOKUP": {
      if (!access.mayRead(host)) return null;
      const endpoint = registry.next(command.name);
      if (endpoint === null) return `ERR|NOT_FOUND|${command.name}`;
      return `OK|LOOKUP|${command.name}|${endpoint.host}|${endpoint.port}`;
    }
    case "LIST":
      return access.mayRead(host) ? list(registry, nowMs) : null;
    case "PING":
      return access.mayRead(host) ? "OK|PONG|tower" : null;
    default:
      return command satisfies never;
  }
}

/** What stands in a LIST in place of the entries that did not fit. */
export const LIST_CUT = "[...]";

/**
 * The reply to LIST. The count is always that of all entries. What does not fit one datagram is
 * left out by whole entries and `,[...]` stands in their place: then `GET /list` has them all.
 */
function list(registry: Registry, nowMs: number): string {
  const head = `OK|LIST|${registry.size}|`;
  const items: string[] = [];
  let length = head.length;
  let last = 0;
  for (const { endpoint, lease } of registry.entries()) {
    const ttlS = Math.max(0, Math.ceil((lease.dueMs - nowMs) / 1_000));
    const item = `${endpoint.app}:${endpoint.host}:${endpoint.port}:${ttlS}`;
    items.push(item);
    last = item.length + 1;
    length += last;
    // Names and addresses are ASCII, so characters are bytes.
    if (length > DATAGRAM_BYTES + 1) return head + cut(items, length);
  }
  return head + items.join(",");
}

/** Takes items off the end until they fit together with the mark of the cut. */
function cut(items: string[], length: number): string {
  while (items.length > 0 && length + LIST_CUT.length > DATAGRAM_BYTES) {
    length -= items.pop()!.length + 1;
  }
  return [...items, LIST_CUT].join(",");
}
