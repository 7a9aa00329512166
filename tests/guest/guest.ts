// A QEMU guest for tests that need a kernel of their own: Debian's cloud kernel, and an initramfs made
// here of busybox, Deno and bundles of this project. Nothing is installed and nothing is downloaded.

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Why no guest can be booted here, or where its parts are. */
export type Parts =
  | { readonly missing: string }
  | { readonly kernel: string; readonly busybox: string; readonly qemu: string };

export function findParts(): Parts {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return { missing: "not Linux on x86-64" };
  }
  const qemu = which("qemu-system-x86_64");
  if (qemu === null) return { missing: "qemu-system-x86 is not installed" };
  const busybox = which("busybox");
  if (busybox === null) return { missing: "busybox is not installed" };
  const kernel = [...readDir("/boot")].filter((name) => /^vmlinuz-.*-amd64$/.test(name)).sort();
  if (kernel.length === 0) return { missing: "linux-image-cloud-amd64 is not installed" };
  return { kernel: `/boot/${kernel.at(-1)}`, busybox, qemu };
}

function* readDir(path: string): Iterable<string> {
  try {
    for (const { name } of Deno.readDirSync(path)) yield name;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function which(program: string): string | null {
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `command -v ${program}`],
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).trim() || null;
}

/** A file of the guest: its bytes, or what it points to. */
type GuestFile =
  | { readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly link: string };

export class Initramfs {
  readonly #files = new Map<string, GuestFile | "folder">();

  /** Adds a file and the folders above it. */
  add(path: string, file: GuestFile): void {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      this.#files.set(parts.slice(0, depth).join("/"), "folder");
    }
    this.#files.set(path, file);
  }

  text(path: string, text: string, mode = 0o644): void {
    this.add(path, { bytes: new TextEncoder().encode(text), mode });
  }

  /** Adds a program of this machine with the libraries that it is linked against. */
  program(path: string, file: string): void {
    this.add(path, { bytes: Deno.readFileSync(file), mode: 0o755 });
    const { stdout } = new Deno.Command("ldd", { args: [file], stderr: "null" }).outputSync();
    for (const [library] of new TextDecoder().decode(stdout).matchAll(/\/\S+\.so\S*/g)) {
      this.add(library.slice(1), { bytes: Deno.readFileSync(library), mode: 0o755 });
    }
  }

  /** Adds a bundle of a program of this project. */
  bundle(path: string, program: string): void {
    const file = Deno.makeTempFileSync({ suffix: ".js" });
    const { success, stderr } = new Deno.Command(Deno.execPath(), {
      args: ["bundle", "-q", "--no-check", `${ROOT}${program}`, "-o", file],
      cwd: ROOT,
    }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    this.add(path, { bytes: Deno.readFileSync(file) });
    Deno.removeSync(file);
  }

  /** The archive as the kernel unpacks it: cpio, "newc". */
  write(file: string): void {
    using out = Deno.openSync(file, { write: true, create: true, truncate: true });
    let number = 0;
    let length = 0;
    const put = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length;) at += out.writeSync(bytes.subarray(at));
      length += bytes.length;
    };
    const pad = () => put(new Uint8Array((4 - length % 4) % 4));
    const entry = (name: string, mode: number, bytes: Uint8Array) => {
      const fields = [++number, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
      const head = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
      put(new TextEncoder().encode(`070701${head}${name}\0`));
      pad();
      put(bytes);
      pad();
    };
    const encoder = new TextEncoder();
    for (const [path, of] of this.#files) {
      if (of === "folder") entry(path, 0o040755, new Uint8Array());
      else if ("link" in of) entry(path, 0o120777, encoder.encode(of.link));
      else entry(path, 0o100000 | (of.mode ?? 0o644), of.bytes);
    }
    entry("TRAILER!!!", 0, new Uint8Array());
  }
}

/** What the guest does first; `/run` is started last, and the machine ends with it. */
const INIT = `#!/bin/busybox sh
for each in $(/bin/busybox --list); do
  [ -e /bin/$each ] || /bin/busybox ln -s busybox /bin/$each
done
mkdir -p /proc /sys /dev /tmp /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmp /tmp
ip link set lo up
export PATH=/bin HOME=/root NO_COLOR=1
/bin/sh /run </dev/null >/dev/ttyS0 2>&1
poweroff -f
`;

/** An initramfs with busybox, Deno, and a script that is run. */
export function baseInitramfs(parts: Exclude<Parts, { missing: string }>, run: string): Initramfs {
  const files = new Initramfs();
  files.program("bin/busybox", parts.busybox);
  files.program("bin/deno", Deno.execPath());
  // What Debian's busybox lacks of what a node needs.
  files.program("bin/flock", "/usr/bin/flock");
  files.text("init", INIT, 0o755);
  files.text("run", run, 0o755);
  return files;
}

/**
 * Boots a guest and gives what it wrote to its console when it has ended.
 *
 * @throws {Error} where it does not end in time
 */
export async function boot(
  parts: Exclude<Parts, { missing: string }>,
  files: Initramfs,
  deadlineMs: number,
): Promise<string> {
  const initrd = Deno.makeTempFileSync({ prefix: "skr8tr-guest-", suffix: ".cpio" });
  files.write(initrd);
  const child = new Deno.Command(parts.qemu, {
    args: [
      ...["-accel", "tcg", "-m", "1024", "-smp", "2", "-cpu", "max"],
      ...["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"],
      ...["-kernel", parts.kernel, "-initrd", initrd],
      ...["-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, deadlineMs);
  const { stdout, stderr } = await child.output();
  clearTimeout(timer);
  Deno.removeSync(initrd);
  const text = new TextDecoder().decode(stdout);
  if (late) throw new Error(`the guest did not end within ${deadlineMs} ms:\n${text}`);
  return text + new TextDecoder().decode(stderr);
}
