import { assert, assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { findLayout, portsFrom, STANDARD_PORTS } from "./layout.ts";

/** A base whose ports nobody has, since the system gave one of them away just now. */
function freeBase(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return Math.min(port, 60_000);
}

/** Every listener of a layout, as the system tells them apart. */
function listeners(layout: ReturnType<typeof findLayout>): string[] {
  const { conductor, mesh, tower, dns, ingress, ingressState, nodes } = layout;
  const all = [conductor, mesh, tower, dns, ingress, ingressState];
  const ofNodes = nodes.flatMap((node) => [node.address, node.metrics]);
  return [...all, ...ofNodes].map(({ hostname, port }) => `${hostname}:${port}`);
}

Deno.test("findLayout() gives every listener a place of its own, also on one address", () => {
  for (const addresses of [undefined, ["127.0.0.1", "127.0.0.1", "127.0.0.1"], ["192.0.2.1"]]) {
    const all = listeners(findLayout(portsFrom(freeBase()), () => {}, addresses));
    assertEquals(new Set(all).size, all.length, all.join(" "));
    if (addresses) assert(all.every((each) => each.startsWith("127.0.0.1:")), all.join(" "));
  }
});

Deno.test("findLayout() steps around taken ports, UDP and TCP, and names them", () => {
  const base = freeBase();
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: base + 2 });
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: base + 1 });
  try {
    const said: string[] = [];
    const layout = findLayout(portsFrom(base), (line) => said.push(line));
    assert(layout.conductor.port > base + 1);
    assert(layout.tower.port > base + 2);
    const named = [
      `port ${base + 1} is taken: the conductor listens at 127.0.0.1:${layout.conductor.port}`,
      `port ${base + 2} is taken: the tower listens at 127.0.0.1:${layout.tower.port}`,
    ];
    for (const line of named) assert(said.includes(line), said.join("\n"));
  } finally {
    tcp.close();
    udp.close();
  }
});

Deno.test("findLayout() says what to do where no port is left", () => {
  const ports = { ...STANDARD_PORTS, ...portsFrom(freeBase()), conductor: 65_535 };
  const last = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 65_535 });
  try {
    assertThrows(() => findLayout(ports, () => {}), Failure, "choose others with --port-base");
  } finally {
    last.close();
  }
});
