import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../errors.ts";
import { onOnePort } from "./one_port.ts";

const taken = () => new Failure("port-taken", "another program has this port");

Deno.test("onOnePort() tries another port while the system chooses it, and not for ever", () => {
  let tries = 0;
  assertEquals(
    onOnePort(0, () => {
      if (++tries < 3) throw taken();
      return "bound";
    }),
    "bound",
  );
  assertEquals(tries, 3);
  assertThrows(() =>
    onOnePort(0, () => {
      tries++;
      throw taken();
    }), Failure);
  assertEquals(tries, 23);
});

Deno.test("onOnePort() tries a given port once, and gives up at any other fault", () => {
  for (
    const [port, fault] of [[7771, taken()], [0, new Failure("cannot-listen", "no")]] as const
  ) {
    let tries = 0;
    assertThrows(() =>
      onOnePort(port, () => {
        tries++;
        throw fault;
      }), Failure);
    assertEquals(tries, 1);
  }
});
