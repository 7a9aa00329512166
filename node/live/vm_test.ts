// A machine: Debian's cloud kernel with an initial file system made here, mostly by emulation.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { findKernel, initramfs, modulesOf } from "../../cli/guests/initramfs.ts";
import { Failure } from "../../core/errors.ts";
import { until } from "./fake_cluster.ts";
import { findRunners } from "./runners.ts";
import { bench, logOf } from "./testing.ts";

const BOOT_MS = 120_000;

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /lib/modules/*.ko; do insmod $module; done
case $(cat /proc/cmdline) in *panic-now*) exit 1 ;; esac
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
mkdir -p /www
echo "hello from $(uname -r)" >/www/index.html
httpd -p 80 -h /www
echo machine is up
button=$(grep -A 4 'Power Button' /proc/bus/input/devices | grep -o 'event[0-9]*')
dd if=/dev/input/$button of=/dev/null bs=24 count=1 2>/dev/null
echo power button
poweroff -f
`;

/** Kernel and initrd, or why there are none. */
function image(folder: string): { kernel: string; version: string; initrd: string } | string {
  try {
    const kernel = findKernel();
    Deno.statSync("/usr/bin/qemu-system-x86_64");
    const entries = [
      { path: "init", content: new TextEncoder().encode(INIT), mode: 0o755 },
      { path: "bin/busybox", content: Deno.readFileSync("/usr/bin/busybox"), mode: 0o755 },
      ...["proc", "sys", "dev"].map((path) => ({ path, folder: true } as const)),
      ...modulesOf(kernel, ["virtio_pci", "virtio_net", "button", "evdev"]),
    ];
    const initrd = `${folder}/initrd`;
    Deno.writeFileSync(initrd, initramfs(entries));
    return { kernel: kernel.path, version: kernel.version, initrd };
  } catch (error) {
    if (error instanceof Failure || error instanceof Deno.errors.NotFound) return error.message;
    throw error;
  }
}

Deno.test("a machine boots, is ready when it answers, and is powered down in peace", async () => {
  await using all = await bench({ runners: findRunners() });
  const made = image(all.folder);
  if (typeof made === "string") return console.log(`not run: ${made}`);
  all.run(`  type vm
  port 80
  grace 60s
  vm {
    kernel ${made.kernel}
    initrd ${made.initrd}
    memory 192mb
    args quiet
  }
  health {
    check GET / 200
    interval 1s
    start-period 5m
  }`);
  const { port } = await all.cluster.state("web-1", "ready", BOOT_MS);
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assertEquals(await page.text(), `hello from ${made.version}\n`);
  await logOf(all, "web-1", (lines) => lines.some((line) => line.includes("machine is up")));
  all.cluster.stop("web-1");
  const end = await all.cluster.state("web-1", "finished", BOOT_MS);
  assertEquals([end.exit?.why, end.exit?.code], ["stopped", 0]);
  // The machine's own words, not those of a runner that could not press it.
  assertMatch(end.exit?.tail ?? "", /^power button\s*$/m);
});

Deno.test("a kernel that panics is reported with its console's last lines", async () => {
  await using all = await bench({ runners: findRunners() });
  const made = image(all.folder);
  if (typeof made === "string") return console.log(`not run: ${made}`);
  all.run(`  type vm
  restart never
  vm {
    kernel ${made.kernel}
    initrd ${made.initrd}
    memory 192mb
    net none
    args panic-now
  }`);
  const end = await all.cluster.state("web-1", "finished", BOOT_MS);
  assertEquals([end.exit?.why, end.exit?.code], ["exit", 1]);
  assertMatch(end.exit?.tail ?? "", /its kernel panicked$/);
});

Deno.test("a kernel that is not there, and one that is none, are told", async () => {
  await using all = await bench({ runners: findRunners() });
  all.run("  type vm\n  vm {\n    kernel /no/such/kernel\n  }");
  const missing = await until("told", () => {
    const status = all.cluster.statuses.get("web-1");
    return status?.exit ? status : null;
  });
  assertMatch(
    missing.exit?.tail ?? "",
    /kernel does not exist on this node|is not on this node's path/,
  );
  if (typeof image(all.folder) === "string") return console.log("not run: there is no QEMU");
  Deno.writeTextFileSync(`${all.folder}/none`, "no kernel");
  all.run(`  type vm\n  restart never\n  vm {\n    kernel none\n    net none\n  }`, "web-2");
  const none = await all.cluster.state("web-2", "finished", BOOT_MS);
  assertEquals(none.exit?.why, "exit");
  assertMatch(none.exit?.tail ?? "", /qemu.*(kernel|invalid|linux)/i);
});

/** Takes its words and its API as Firecracker does; no package of Debian has that. */
const FIRECRACKER = `
const [, socket, , file] = Deno.args;
const config = JSON.parse(Deno.readTextFileSync(file));
console.log("booted " + config["boot-source"].kernel_image_path);
const words = config["boot-source"].boot_args.split(" ");
for await (const connection of Deno.listen({ transport: "unix", path: socket })) {
  const buffer = new Uint8Array(4096);
  const text = new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer)));
  const say = (answer) => connection.write(new TextEncoder().encode(answer));
  if (words.includes("no-keys")) {
    await say('HTTP/1.1 400 Bad Request\\r\\n\\r\\n{"fault_message":"no keys here"}');
    continue;
  }
  console.log(text.split("\\r\\n")[0] + " " + text.split("\\r\\n\\r\\n")[1]);
  await say("HTTP/1.1 204 No Content\\r\\n\\r\\n");
  Deno.exit(0);
}
`;

Deno.test("a machine of Firecracker is given its file and its keys; one without keys is ended", async () => {
  const bin = Deno.makeTempDirSync({ prefix: "skr8tr-bin-" });
  try {
    Deno.writeTextFileSync(`${bin}/firecracker.js`, FIRECRACKER);
    const line = `exec ${Deno.execPath()} run -A --quiet ${bin}/firecracker.js "$@"`;
    Deno.writeTextFileSync(`${bin}/firecracker`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    await using all = await bench({ runners: findRunners(), path: `${bin}:/usr/bin:/bin` });
    for (const file of ["kernel", "disk"]) Deno.writeTextFileSync(`${all.folder}/${file}`, "");
    const ended = async (replica: string, args: string) => {
      all.run(
        `  type vm
  grace 30s
  vm {
    hypervisor firecracker
    kernel kernel
    rootfs disk
    args ${args}
  }`,
        replica,
      );
      await logOf(all, replica, (lines) => lines.includes(`booted ${all.folder}/kernel`));
      all.cluster.stop(replica);
      const end = await all.cluster.state(replica, "finished", BOOT_MS);
      return [end.exit?.why, end.exit?.code, end.exit?.tail] as const;
    };
    const [why, code, tail] = await ended("web-1", "quiet");
    assertEquals([why, code], ["stopped", 0]);
    assertStringIncludes(tail ?? "", 'PUT /actions HTTP/1.1 {"action_type":"SendCtrlAltDel"}');
    const [deaf, , said] = await ended("web-2", "no-keys");
    assertEquals(deaf, "stopped");
    assertStringIncludes(said ?? "", 'firecracker says: {"fault_message":"no keys here"}');
  } finally {
    Deno.removeSync(bin, { recursive: true });
  }
});
