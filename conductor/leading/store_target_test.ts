import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { parseStoreTarget } from "./store_target.ts";

Deno.test("parseStoreTarget() reads servers, the name and the settings", () => {
  assertEquals(parseStoreTarget("nats://10.0.0.1,10.0.0.2:4333,[fd00::3]/shop?max=1000000"), {
    kind: "nats",
    servers: ["10.0.0.1:4222", "10.0.0.2:4333", "[fd00::3]:4222"],
    tls: false,
    name: "shop",
    copies: 3,
    maxBytes: 1_000_000,
  });
  assertEquals(parseStoreTarget("tls://nats.example"), {
    kind: "nats",
    servers: ["nats.example:4222"],
    tls: true,
    name: "skr8tr",
    copies: 1,
  });
  assertEquals(parseStoreTarget(".skr8tr/log.db"), { kind: "sqlite", path: ".skr8tr/log.db" });
});

Deno.test("parseStoreTarget() says what is wrong, and lets no password show", () => {
  const wrong = [
    ["nats://", "neither"],
    ["redis://10.0.0.1", "neither"],
    ["nats://me:secret@10.0.0.1", "--store-login"],
    ["nats://10.0.0.1:99999", "no HOST:PORT"],
    ["nats://10.0.0.1?copies=2", "1, 3 or 5"],
    ["nats://10.0.0.1?ttl=5", "no setting"],
    ["nats://10.0.0.1?max=1gb", "number of bytes"],
  ] as const;
  for (const [text, part] of wrong) assertThrows(() => parseStoreTarget(text), Failure, part);
});
