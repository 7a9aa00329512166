import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { parseListenFlag } from "./flags.ts";

Deno.test("parseListenFlag() takes a port, or an address and a port", () => {
  const read = (text: string) => parseListenFlag("http", text, "127.0.0.1");
  assertEquals(read("8080"), { hostname: "127.0.0.1", port: 8080 });
  assertEquals(read("0"), { hostname: "127.0.0.1", port: 0 });
  assertEquals(read("0.0.0.0:80"), { hostname: "0.0.0.0", port: 80 });
  assertEquals(read("[::]:80"), { hostname: "::", port: 80 });
  for (const wrong of ["", "x", "65536", "1.2.3:80", "localhost:80", ":80", "1.2.3.4:", "-1"]) {
    assertThrows(() => read(wrong), Failure, "--http needs");
  }
});
