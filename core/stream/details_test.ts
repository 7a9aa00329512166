import { assert, assertEquals } from "@std/assert";
import { describeDetails, parseDetails } from "./details.ts";

const key = new Uint8Array(1_184).fill(9).toBase64();

Deno.test("parseDetails() reads each kind, and nothing else", () => {
  const exec = { key, line: "ls -l", tty: { columns: 80, rows: 24, term: "xterm" } };
  assertEquals(parseDetails("exec", JSON.stringify(exec)), { kind: "exec", ...exec });
  const copy = { key, way: "in", path: "data/x", name: "x", isFolder: true };
  assertEquals(parseDetails("copy", JSON.stringify(copy)), { kind: "copy", ...copy } as never);
  assertEquals(parseDetails("forward", JSON.stringify({ key })), { kind: "forward", key });
  const bad: [Parameters<typeof parseDetails>[0], object][] = [
    ["exec", { line: "ls" }],
    ["exec", { key: key.slice(4), line: "ls" }],
    ["exec", { key, line: "x".repeat(4_097) }],
    ["exec", { key, line: "ls", tty: { columns: 0, rows: 1, term: "" } }],
    ["copy", { key, way: "both", path: "x" }],
    ["copy", { key, way: "in", path: "x\ny" }],
    ["copy", { key, way: "in", path: "x", name: "../x" }],
    ["forward", { key, port: 65_536 }],
  ];
  for (const [kind, details] of bad) {
    assertEquals(parseDetails(kind, JSON.stringify(details)), null, JSON.stringify(details));
  }
});

Deno.test("describeDetails() says what the audit shall say", () => {
  const of = (...[kind, details]: [Parameters<typeof parseDetails>[0], object]) => {
    const parsed = parseDetails(kind, JSON.stringify({ key, ...details }));
    assert(parsed);
    return describeDetails(parsed);
  };
  assertEquals(of("exec", { line: "ls" }), "exec: ls");
  const tty = { columns: 1, rows: 1, term: "" };
  assertEquals(of("exec", { line: "ls", tty }), "exec in a terminal: ls");
  assertEquals(of("copy", { way: "out", path: "/x" }), "copy from /x");
  assertEquals(of("forward", {}), "forward to its port");
  assertEquals(of("forward", { port: 9229 }), "forward to port 9229");
});
