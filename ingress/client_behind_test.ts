import { assertEquals } from "@std/assert";
import { type Cidr, parseCidr } from "../core/address.ts";
import { clientBehind } from "./client_behind.ts";

function ranges(...texts: string[]): Cidr[] {
  return texts.map((text) => parseCidr(text)!);
}

Deno.test("clientBehind() is the last address that no trusted proxy has vouched away", () => {
  const trusted = ranges("10.0.0.0/8");
  assertEquals(clientBehind("8.8.8.8", ["1.1.1.1"], trusted), "8.8.8.8");
  assertEquals(clientBehind("10.0.0.1", ["6.6.6.6", "1.1.1.1", "10.0.0.2"], trusted), "1.1.1.1");
  assertEquals(clientBehind("10.0.0.1", ["10.0.0.3", "10.0.0.2"], trusted), "10.0.0.3");
  assertEquals(clientBehind("10.0.0.1", ["6.6.6.6", "nonsense"], trusted), "10.0.0.1");
});
