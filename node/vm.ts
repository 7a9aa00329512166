// The command line of a virtual machine, made of the `vm` block. Nothing is started here.

import type { AppSpec, VmSpec } from "../core/manifest/spec.ts";
import { substitute } from "../core/manifest/variables.ts";
import { type PathCheck, resolvePath, type Values } from "./workload.ts";

/** What `node/live/vm.ts` is told, as JSON. */
export interface VmPlan {
  readonly hypervisor: VmSpec["hypervisor"];
  /** Found on the node's path. */
  readonly program: string;
  /** Of QEMU, but for its accelerator. */
  readonly args: readonly string[];
  /** Of Firecracker: its configuration file. */
  readonly config?: unknown;
}

/** The hypervisor's socket, in the replica's own folder, where the runner works. */
export const VM_SOCKET = "vm.sock";
export const VM_CONFIG = "vm.json";

/** Files of the machine on the node, each of which must be there. */
export interface VmFiles {
  readonly kernel: string;
  readonly initrd?: string;
  readonly rootfs?: string;
}

export function filesOf(vm: VmSpec, values: Values, workdir: string): VmFiles {
  const at = (path: string) => resolvePath(substitute(path, values), workdir);
  return {
    kernel: at(vm.kernel ?? ""),
    ...(vm.initrd === undefined ? {} : { initrd: at(vm.initrd) }),
    ...(vm.rootfs === undefined ? {} : { rootfs: at(vm.rootfs) }),
  };
}

export function checksOf(files: VmFiles): readonly PathCheck[] {
  const names = { kernel: "its kernel", initrd: "its initrd", rootfs: "its rootfs" } as const;
  return (["kernel", "initrd", "rootfs"] as const).flatMap((key) => {
    const path = files[key];
    return path === undefined ? [] : [{ path, kind: "file", what: names[key] } as const];
  });
}

/** Why no node can start such a machine, or `null`. */
export function vmFault(spec: AppSpec): string | null {
  const { vm } = spec;
  if (!vm) return null;
  if (vm.kernel === undefined) return "a vm needs a kernel";
  if (vm.hypervisor === "firecracker" && vm.rootfs === undefined && vm.initrd === undefined) {
    return "a vm of firecracker needs a rootfs or an initrd";
  }
  const net = vm.net ?? "user";
  if (vm.hypervisor === "firecracker" && net !== "none" && !net.startsWith("tap:")) {
    return vm.net === undefined && !spec.port
      ? null
      : `firecracker has no net ${net}: it can do tap:DEVICE, or none`;
  }
  if (!/^(user|none|bridge:[A-Za-z0-9._-]{1,15}|tap:[A-Za-z0-9._-]{1,15})$/.test(net)) {
    return `net of a vm is user, none, bridge:NAME or tap:NAME, not ${net}`;
  }
  if (spec.port && net !== "user") {
    return `only net user forwards a port to the machine; ${net} does not`;
  }
  return null;
}

/** Plans a machine. @param arch of the node, as Deno names it */
export function planVm(
  spec: AppSpec,
  vm: VmSpec,
  values: Values,
  around: { readonly host: string; readonly workdir: string; readonly arch: string },
): { readonly plan: VmPlan; readonly files: VmFiles } {
  const files = filesOf(vm, values, around.workdir);
  const { hypervisor } = vm;
  if (hypervisor === "firecracker") {
    const config = firecrackerConfig(vm, files, commandLine(vm, values, around.arch));
    const args = ["--api-sock", VM_SOCKET, "--config-file", VM_CONFIG];
    return { plan: { hypervisor, program: "firecracker", args, config }, files };
  }
  const args = qemuArguments(spec, vm, files, values, around);
  return { plan: { hypervisor, program: `qemu-system-${around.arch}`, args }, files };
}

/** What the kernel is told: its console comes to the log, and a panic ends the machine. */
function commandLine(vm: VmSpec, values: Values, arch: string): string {
  const words = vm.args.map((word) => substitute(word, values));
  const has = (name: string) => words.some((word) => word.startsWith(`${name}=`));
  const isFirecracker = vm.hypervisor === "firecracker";
  // Firecracker has the same serial port everywhere, QEMU what its board has.
  const serial = arch === "aarch64" && !isFirecracker ? "ttyAMA0" : "ttyS0";
  return [
    ...(has("console") ? [] : [`console=${serial}`]),
    ...(has("panic") ? [] : ["panic=-1"]),
    ...(isFirecracker && !has("reboot") ? ["reboot=k", "pci=off"] : []),
    // It keeps no changes beside the image, as QEMU does, so there the image is read-only.
    ...(vm.rootfs === undefined || has("root")
      ? []
      : ["root=/dev/vda", isFirecracker ? "ro" : "rw"]),
    ...words,
  ].join(" ");
}

const MEBIBYTE = 1024 ** 2;

function qemuArguments(
  spec: AppSpec,
  vm: VmSpec,
  files: VmFiles,
  values: Values,
  { host, arch }: { readonly host: string; readonly arch: string },
): readonly string[] {
  return [
    ...["-name", spec.name, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...(arch === "aarch64" ? ["-machine", "virt"] : []),
    ...["-smp", String(vm.vcpus), "-m", `${Math.max(1, Math.floor(vm.memoryBytes / MEBIBYTE))}M`],
    ...["-kernel", files.kernel],
    ...(files.initrd === undefined ? [] : ["-initrd", files.initrd]),
    ...["-append", commandLine(vm, values, arch)],
    // The image belongs to all replicas: what a machine writes to it lasts as long as the machine.
    ...(files.rootfs === undefined ? [] : ["-drive", driveOf(files.rootfs)]),
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    ...["-chardev", `socket,id=control,path=${VM_SOCKET},server=on,wait=off`],
    ...["-mon", "chardev=control,mode=control", "-device", "virtio-rng-pci"],
    ...netOf(spec, vm, host, values.PORT),
  ];
}

function driveOf(rootfs: string): string {
  const format = /\.qcow2$/.test(rootfs) ? "qcow2" : "raw";
  // In an option a comma is written twice.
  return `file=${rootfs.replaceAll(",", ",,")},format=${format},if=virtio,snapshot=on`;
}

function netOf(
  spec: AppSpec,
  vm: VmSpec,
  host: string,
  port: string | undefined,
): readonly string[] {
  const [kind, name] = (vm.net ?? "user").split(":");
  const device = ["-device", "virtio-net-pci,netdev=net"];
  switch (kind) {
    case "none":
      return ["-nic", "none"];
    case "bridge":
      return ["-netdev", `bridge,id=net,br=${name}`, ...device];
    case "tap":
      return ["-netdev", `tap,id=net,ifname=${name},script=no,downscript=no`, ...device];
    default: {
      const forward = spec.port && port !== undefined
        ? `,hostfwd=tcp:${host}:${port}-:${spec.port.number}`
        : "";
      return ["-netdev", `user,id=net${forward}`, ...device];
    }
  }
}

function firecrackerConfig(vm: VmSpec, files: VmFiles, bootArgs: string): unknown {
  const [kind, device] = (vm.net ?? "none").split(":");
  return {
    "boot-source": {
      kernel_image_path: files.kernel,
      boot_args: bootArgs,
      ...(files.initrd === undefined ? {} : { initrd_path: files.initrd }),
    },
    drives: files.rootfs === undefined ? [] : [{
      drive_id: "rootfs",
      path_on_host: files.rootfs,
      is_root_device: true,
      is_read_only: true,
    }],
    "machine-config": {
      vcpu_count: vm.vcpus,
      mem_size_mib: Math.max(1, Math.floor(vm.memoryBytes / MEBIBYTE)),
    },
    ...(kind === "tap"
      ? { "network-interfaces": [{ iface_id: "eth0", host_dev_name: device }] }
      : {}),
  };
}
