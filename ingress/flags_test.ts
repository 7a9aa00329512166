import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../core/errors.ts";
import { parseListenFlag, parseRateFlag, parseRouteFlag, ratedRoutes } from "./flags.ts";

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

Deno.test("parseRateFlag() reads a rate in the words of a manifest", () => {
  const ip = (path: string, perSecond: number, burst: number) => ({
    path,
    rate: { perSecond, burst, per: "ip" },
  });
  assertEquals(parseRateFlag("/login=20/s"), ip("/login", 20, 20));
  assertEquals(parseRateFlag("/=30/m"), ip("/", 0.5, 1));
  assertEquals(parseRateFlag("/a:b=1.5/s,burst=7"), ip("/a:b", 1.5, 7));
  assertEquals(parseRateFlag("Shop.Test/a=1/h,per=header:X-Key,burst=2"), {
    host: "shop.test",
    path: "/a",
    rate: { perSecond: 1 / 3_600, burst: 2, per: "header:x-key" },
  });
  const wrong: [text: string, says: string][] = [
    ["login=20/s", "--rate needs /prefix"],
    ["/login", "--rate needs /prefix"],
    ["/login=", "--rate needs /prefix"],
    ["/login=20", "20 is not a rate such as 100/s"],
    ["/login=0/s", "0/s is not a rate"],
    ["/login=20/s,", "--rate needs /prefix"],
    ["/login=20/s,burst", "burst is neither burst nor per"],
    ["/login=20/s,burst=1,burst=2", "burst=2 is neither"],
    ["/login=20/s,burst=0", "0 is not a whole number from 1"],
    ["/login=20/s,per=user", "user is not ip, or header:X"],
  ];
  for (const [text, says] of wrong) {
    assertThrows(() => parseRateFlag(text), Failure, says, text);
  }
});

Deno.test("ratedRoutes() gives each route its own rate, and takes none for a route that is not there", () => {
  const routes = ["/:shop", "a.test/login:users", "/login:users"].map(parseRouteFlag);
  const rates = (...texts: string[]) => ratedRoutes(routes, texts.map(parseRateFlag));
  assertEquals(rates("a.test/login=5/s").map((route) => route.rate?.perSecond), [
    ...[undefined, 5, undefined],
  ]);
  assertEquals(rates("/login=5/s", "/=9/s").map((route) => route.rate?.perSecond), [
    9,
    undefined,
    5,
  ]);
  assertThrows(() => rates("/logins=5/s"), Failure, "/logins, where no --route leads");
  assertThrows(() => rates("/login=5/s", "/login=6/s"), Failure, "twice for /login");
});
