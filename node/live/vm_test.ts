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
dd if=/dev/input/event0 of=/dev/null bs=24 count=1 2>/dev/null
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
  assertStringIncludes(end.exit?.tail ?? "", "power button");
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
