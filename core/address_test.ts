import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Failure } from "./errors.ts";
import {
  type Cidr,
  inNetworks,
  isAddress,
  isLoopback,
  isNetwork,
  isWithin,
  parseAddress,
  parseCidr,
  readAddress,
  showAddress,
} from "./address.ts";

Deno.test("isAddress() knows addresses of both families", () => {
  for (
    const text of [
      "0.0.0.0",
      "255.255.255.255",
      "::",
      "::1",
      "1::",
      "fe80::1",
      "1:2:3:4:5:6:7:8",
      "::ffff:1.2.3.4",
      "64:ff9b::1.2.3.4",
    ]
  ) {
    assert(isAddress(text), text);
  }
  for (
    const text of [
      "",
      ".",
      ":",
      ":::",
      "1.2.3",
      "1.2.3.4.5",
      "256.1.1.1",
      "01.2.3.4",
      "1:2:3:4:5:6:7",
      "1::2::3",
      "1:2:3:4:5:6:7:8:9",
      "12345::",
      "::1.2.3",
      "1.2.3.4::",
      "g::",
      "localhost",
      "::1%lo",
      "1:2:3:4:5:6:7::8",
    ]
  ) {
    assert(!isAddress(text), text);
  }
});

Deno.test("isAddress() takes what fast-check calls an address, and the URL parser agrees", () => {
  fc.assert(fc.property(fc.ipV4(), (text) => assert(isAddress(text))));
  fc.assert(fc.property(fc.ipV6(), (text) => assert(isAddress(text), text)));
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(":", "::", "1", "f", "."), maxLength: 12 }),
      (text) => {
        if (text.includes(":")) {
          assertEquals(
            isAddress(text),
            URL.canParse(`http://[${text}]/`),
            text,
          );
        }
      },
    ),
    { numRuns: 5_000 },
  );
});

Deno.test("inNetworks() compares the leading bits", () => {
  const cases: [string, string, boolean][] = [
    ["10.1.2.3", "10.0.0.0/8", true],
    ["11.1.2.3", "10.0.0.0/8", false],
    ["192.168.1.130", "192.168.1.128/25", true],
    ["192.168.1.127", "192.168.1.128/25", false],
    ["1.2.3.4", "0.0.0.0/0", true],
    ["1.2.3.4", "1.2.3.4/32", true],
    ["1.2.3.5", "1.2.3.4/32", false],
    ["1.2.3.4", "1.2.3.4", true],
    ["::ffff:10.1.2.3", "10.0.0.0/8", true],
    ["fe80::1", "fe80::1", true],
    ["fe80::1", "0.0.0.0/0", false],
    ["1.2.3.4", "1.2.3.4/33", false],
    ["1.2.3.4", "1.2.3.4/x", false],
    ["1.2.3.4", "1.2.3.4/8/8", false],
  ];
  for (const [address, network, inside] of cases) {
    assertEquals(inNetworks(address, [network]), inside, `${address} in ${network}`);
  }
});

Deno.test("isNetwork() and isLoopback()", () => {
  for (const text of ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4", "::1", "::/0"]) {
    assert(isNetwork(text), text);
  }
  for (const text of ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "1.2.3.4/8/8", "a/8"]) {
    assert(!isNetwork(text), text);
  }
  for (const text of ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"]) {
    assert(isLoopback(text));
  }
  for (const text of ["128.0.0.1", "::2", "::ffff:1.2.3.4", ""]) assert(!isLoopback(text), text);
});

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

Deno.test("readAddress() reads hosts, ports and IPv6", () => {
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
    assertEquals(readAddress(text, "conductor", 7), { hostname, port });
  }
  for (const wrong of ["", ":80", "a:b", "a:0", "a:99999", "http://a", "a b", "1::2:3::4"]) {
    assertThrows(() => readAddress(wrong, "conductor", 7), Failure, "--conductor needs HOST");
  }
});

Deno.test("showAddress() writes what readAddress() reads", () => {
  for (const text of ["10.0.0.1:80", "[::1]:80", "a.b:1"]) {
    assertEquals(showAddress(readAddress(text, "tower", 7)), text);
  }
});
