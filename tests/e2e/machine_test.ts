// A machine that is replaced by one that does not boot: the reason is told, and the old one goes on.

import { assertEquals, assertMatch } from "@std/assert";
import { skr8trCommand, until, World } from "../../bench/world.ts";
import { findKernel, initramfs } from "../../cli/guests/initramfs.ts";
import { showAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";

const INIT = `#!/bin/busybox sh
echo the machine is up
exec /bin/busybox sleep 1000000
`;

/** Path of a kernel, with a file system to boot from at `initrd`; or why there is none. */
function image(initrd: string): { readonly kernel: string } | { readonly missing: string } {
  try {
    Deno.statSync("/usr/bin/qemu-system-x86_64");
    const { path } = findKernel();
    const content = initramfs([
      { path: "init", content: new TextEncoder().encode(INIT), mode: 0o755 },
      { path: "bin/busybox", content: Deno.readFileSync("/usr/bin/busybox"), mode: 0o755 },
      { path: "dev", folder: true },
    ]);
    Deno.writeFileSync(initrd, content);
    return { kernel: path };
  } catch (error) {
    if (error instanceof Failure || error instanceof Deno.errors.NotFound) {
      return { missing: error.message };
    }
    throw error;
  }
}

Deno.test("a machine that does not boot is told of with the reason, and replaces nothing", async () => {
  await using world = await World.start(["node-1"]);
  const made = image(`${world.folder}/initrd`);
  if ("missing" in made) return console.log(`not run: ${made.missing}`);
  await Deno.writeTextFile(`${world.folder}/none`, "this is no kernel");
  const skr8tr = async (...words: string[]) => {
    const { conductor, tower } = world.layout;
    const where = ["--conductor", showAddress(conductor), "--tower", showAddress(tower)];
    const command = skr8trCommand([...where, ...words], { SKR8TR_KEY: world.keyPath });
    const { code, stdout, stderr } = await command.output();
    return { code, said: [stdout, stderr].map((each) => new TextDecoder().decode(each)).join("") };
  };
  const machine = (kernel: string, initrd: string) =>
    world.manifest(
      "box",
      `app box
  type vm
  grace 1s
  rollout { settle 2m }
  vm {
    kernel ${kernel}
    ${initrd}
    memory 128mb
    net none
  }
`,
    );
  const good = await skr8tr("up", await machine(made.kernel, `initrd ${world.folder}/initrd`));
  assertEquals(good.code, 0, good.said);
  await until("the machine is up", async () => {
    return /the machine is up/.test((await skr8tr("logs", "box")).said);
  });
  const old = async () => {
    const replica = (await world.view("box")).replicas.find((each) => each.generation === 1)!;
    return {
      replica: replica.replica,
      pid: replica.pid,
      state: replica.state,
      restarts: replica.restarts,
    };
  };
  const before = await old();
  assertEquals([before.state, before.restarts], ["ready", 0]);

  const kernels = [
    ["/no/such/kernel", "args quiet", /its kernel \/no\/such\/kernel does not exist on this node/],
    [`${world.folder}/none`, "args quiet", /qemu.*(kernel|invalid|linux)/i],
    [made.kernel, "args no-initrd", /its kernel panicked/],
  ] as const;
  for (const [kernel, rest, reason] of kernels) {
    const { code, said } = await skr8tr("up", await machine(kernel, rest), "--wait");
    assertEquals(code, 1, said);
    assertMatch(said, reason);
    assertMatch((await skr8tr("why", "box")).said, reason);
    assertEquals(await old(), before, String(reason));
  }
});
