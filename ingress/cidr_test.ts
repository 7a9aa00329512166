import { assertEquals } from "@std/assert";
import { type Cidr, clientBehind, isWithin, parseAddress, parseCidr } from "./cidr.ts";

function ranges(...texts: string[]): Cidr[] {
  return texts.map((text) => parseCidr(text)!);
}

Deno.test("isWithin() knows IPv4 and IPv6 ranges of any length", () => {
  assertEquals(isWithin("10.1.2.3", ranges("10.0.0.0/8")), true);
  assertEquals(isWithin("11.1.2.3", ranges("10.0.0.0/8")), false);
  assertEquals(isWithin("192.168.7.129", ranges("192.168.7.128/25")), true);
  assertEquals(isWithin("192.168.7.127", ranges("192.168.7.128/25")), false);
  assertEquals(isWithin("1.2.3.4", ranges("0.0.0.0/0")), true);
  assertEquals(isWithin("1.2.3.4", ranges("1.2.3.4")), true);
  assertEquals(isWithin("fd00::7", ranges("fd00::/8")), true);
  assertEquals(isWithin("fe00::7", ranges("fd00::/8")), false);
  assertEquals(isWithin("::ffff:10.0.0.1", ranges("10.0.0.0/8")), true);
  assertEquals(isWithin("::1", ranges("0.0.0.0/0")), false);
  assertEquals(isWithin("unknown", ranges("0.0.0.0/0")), false);
});

Deno.test("parseCidr() and parseAddress() refuse what is none", () => {
  const wrong = ["", "10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/", "::/129"];
  for (const text of [...wrong, "a::b::c", "1:2:3", "12345::", "1:2:3:4:5:6:7:8:9"]) {
    assertEquals(parseCidr(text), null, text);
  }
  assertEquals(parseAddress("2001:db8::1")?.length, 16);
  assertEquals(parseAddress("64:ff9b::1.2.3.4")?.at(-1), 4);
});

Deno.test("clientBehind() is the last address that no trusted proxy has vouched away", () => {
  const trusted = ranges("10.0.0.0/8");
  assertEquals(clientBehind("8.8.8.8", ["1.1.1.1"], trusted), "8.8.8.8");
  assertEquals(clientBehind("10.0.0.1", ["6.6.6.6", "1.1.1.1", "10.0.0.2"], trusted), "1.1.1.1");
  assertEquals(clientBehind("10.0.0.1", ["10.0.0.3", "10.0.0.2"], trusted), "10.0.0.3");
  assertEquals(clientBehind("10.0.0.1", ["6.6.6.6", "nonsense"], trusted), "10.0.0.1");
});
