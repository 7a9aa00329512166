import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { parseAddress, showAddress } from "./target.ts";

Deno.test("parseAddress() reads hosts, ports and IPv6", () => {
  const cases: [string, string, number][] = [
    ["10.0.0.1", "10.0.0.1", 7],
    ["10.0.0.1:80", "10.0.0.1", 80],
    ["cluster.example.org:80", "cluster.example.org", 80],
    ["localhost", "localhost", 7],
    ["[::1]:80", "::1", 80],
    ["[::1]", "::1", 7],
    ["fe80::1", "fe80::1", 7],
  ];
  for (const [text, hostname, port] of cases) {
    assertEquals(parseAddress("conductor", text, 7), { hostname, port });
  }
  for (const wrong of ["", ":80", "a:b", "a:0", "a:99999", "http://a", "a b"]) {
    assertThrows(() => parseAddress("conductor", wrong, 7), Failure, "--conductor needs HOST");
  }
});

Deno.test("showAddress() writes what parseAddress() reads", () => {
  for (const text of ["10.0.0.1:80", "[::1]:80", "a.b:1"]) {
    assertEquals(showAddress(parseAddress("tower", text, 7)), text);
  }
});
