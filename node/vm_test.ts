import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseManifest } from "../core/manifest/parse.ts";
import { planLaunch, type Surroundings, unsupported } from "./plan.ts";
import type { VmPlan } from "./vm.ts";

const AROUND: Surroundings = {
  name: "node-1",
  host: "10.0.0.5",
  path: "/usr/bin:/bin",
  workdir: "/srv",
  state: "/state",
  runners: { deno: "/usr/bin/deno", folder: "/skr8tr", ending: "ts", arch: "x86_64" },
};
const SELF = { replica: "box.1", app: "box", index: 0, port: 20_001 };

function spec(vm: string, lines = "") {
  const parsed = parseManifest(`app box\n  type vm\n${lines}  vm {\n    ${vm}\n  }\n`);
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.apps[0]!;
}

function planOf(vm: string, lines = ""): { plan: VmPlan; words: readonly string[] } {
  const launch = planLaunch(spec(vm, lines), SELF, AROUND);
  return { plan: JSON.parse(launch.args.at(-1)!), words: launch.args };
}

Deno.test("a machine of QEMU: kernel, console, control, and the app's port forwarded", () => {
  const { plan, words } = planOf(
    "kernel boot/vmlinuz\n    initrd boot/initrd\n    vcpus 2\n    memory 256mb\n    args quiet node=${NODE}",
    "  port 80\n",
  );
  assertEquals(plan.program, "qemu-system-x86_64");
  const text = plan.args.join(" ");
  assertMatch(text, /-smp 2 -m 256M -kernel \/srv\/boot\/vmlinuz -initrd \/srv\/boot\/initrd /);
  assertEquals(
    plan.args[plan.args.indexOf("-append") + 1],
    "console=ttyS0 panic=-1 quiet node=node-1",
  );
  assertStringIncludes(text, "-netdev user,id=net,hostfwd=tcp:10.0.0.5:20001-:80 ");
  assertStringIncludes(text, "-serial chardev:console");
  assertStringIncludes(text, "path=vm.sock,server=on,wait=off");
  assertEquals(words.slice(0, 7), [
    "run",
    "--no-prompt",
    "--no-remote",
    "--allow-read=/state/replicas/box.1/home,/dev/kvm",
    "--allow-write=/state/replicas/box.1/home,/dev/kvm",
    "--allow-net=unix:/state/replicas/box.1/home/vm.sock",
    "--allow-run=setpriv",
  ]);
});

Deno.test("a machine with a root file system boots from it, and changes it for nobody else", () => {
  const { plan } = planOf("kernel /k\n    rootfs /images/a,b.qcow2");
  assertEquals(
    plan.args[plan.args.indexOf("-append") + 1],
    "console=ttyS0 panic=-1 root=/dev/vda rw",
  );
  assertEquals(
    plan.args[plan.args.indexOf("-drive") + 1],
    "file=/images/a,,b.qcow2,format=qcow2,if=virtio,snapshot=on",
  );
  const net = (vm: string) => planOf(`kernel /k\n    net ${vm}`).plan.args.join(" ");
  assertStringIncludes(net("none"), "-nic none");
  assertStringIncludes(net("bridge:br0"), "-netdev bridge,id=net,br=br0");
  assertStringIncludes(net("tap:tap0"), "-netdev tap,id=net,ifname=tap0,script=no,downscript=no");
});

Deno.test("a machine of Firecracker is a configuration", () => {
  const { plan } = planOf(
    "hypervisor firecracker\n    kernel /k\n    rootfs /r.ext4\n    memory 128mb\n    net tap:tap3",
  );
  assertEquals(plan, {
    hypervisor: "firecracker",
    program: "firecracker",
    args: ["--api-sock", "vm.sock", "--config-file", "vm.json"],
    config: {
      "boot-source": {
        kernel_image_path: "/k",
        boot_args: "console=ttyS0 panic=-1 reboot=k pci=off root=/dev/vda ro",
      },
      drives: [{
        drive_id: "rootfs",
        path_on_host: "/r.ext4",
        is_root_device: true,
        is_read_only: true,
      }],
      "machine-config": { vcpu_count: 1, mem_size_mib: 128 },
      "network-interfaces": [{ iface_id: "eth0", host_dev_name: "tap3" }],
    },
  });
});

Deno.test("a machine of Firecracker from a RAM disk: no drive, no net, its own words last", () => {
  const vm = "hypervisor firecracker\n    kernel boot/k\n    initrd boot/i\n    vcpus 4\n" +
    "    memory 1gb\n    args reboot=t root=/dev/ram0 node=${NODE}";
  assertEquals(planOf(vm).plan.config, {
    "boot-source": {
      kernel_image_path: "/srv/boot/k",
      boot_args: "console=ttyS0 panic=-1 reboot=t root=/dev/ram0 node=node-1",
      initrd_path: "/srv/boot/i",
    },
    drives: [],
    "machine-config": { vcpu_count: 4, mem_size_mib: 1_024 },
  });
});

Deno.test("on other processors: QEMU's board and its serial port, Firecracker's is the same", () => {
  const runners = { ...AROUND.runners!, arch: "aarch64" };
  const argsOf = (vm: string): VmPlan =>
    JSON.parse(planLaunch(spec(vm), SELF, { ...AROUND, runners }).args.at(-1)!);
  const qemu = argsOf("kernel /k");
  assertEquals(qemu.program, "qemu-system-aarch64");
  assertStringIncludes(qemu.args.join(" "), "-machine virt -smp 1");
  assertEquals(qemu.args[qemu.args.indexOf("-append") + 1], "console=ttyAMA0 panic=-1");
  const { config } = argsOf("hypervisor firecracker\n    kernel /k\n    initrd /i");
  assertStringIncludes(JSON.stringify(config), '"console=ttyS0 panic=-1 reboot=k pci=off"');
});

Deno.test("what no machine can be is refused with the reason", () => {
  const why = (vm: string, lines = "") => unsupported(spec(vm, lines), AROUND) ?? "";
  assertEquals(why("kernel /k"), "");
  assertMatch(why("initrd /i"), /needs a kernel/);
  assertMatch(why("kernel /k\n    net wire"), /is user, none, bridge:NAME or tap:NAME, not wire/);
  assertMatch(why("kernel /k\n    net none", "  port 80\n"), /only net user forwards a port/);
  assertMatch(why("hypervisor firecracker\n    kernel /k"), /needs a rootfs or an initrd/);
  assertMatch(
    why("hypervisor firecracker\n    kernel /k\n    rootfs /r", "  port 80\n"),
    /firecracker has no net user/,
  );
  const bare = { ...AROUND, runners: { ...AROUND.runners!, deno: "" } };
  assertMatch(unsupported(spec("kernel /k"), bare)!, /^type vm needs deno/);
});
