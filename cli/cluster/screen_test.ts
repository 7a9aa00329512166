import { assertEquals } from "@std/assert";
import { denoCommand } from "./screen.ts";

Deno.test("denoCommand() is what the reader can type", () => {
  assertEquals(denoCommand("/usr/local/bin/deno"), "deno");
  const cached = "/home/ann/.npm/_npx/7a40be787520bede/node_modules/@deno/linux-x64-glibc/deno";
  assertEquals(denoCommand(cached), `npx -y deno@${Deno.version.deno}`);
});
