// The guests' image: an initial file system with the bundle, busybox, and what Deno links to.

import { Failure } from "../../core/errors.ts";
import { initramfs, type InitramfsEntry, type Kernel, modulesOf } from "./initramfs.ts";

/** Every guest starts by this; the kernel's command line says which it is. */
const INIT = `#!/bin/busybox sh
# The first program of a guest: file systems, network, daemons. Nothing is installed, all is shipped.
export PATH=/skr8tr/bin:/skr8tr:/usr/bin:/bin HOME=/root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for module in /lib/modules/*.ko; do insmod "$module"; done
for word in $(cat /proc/cmdline); do
  case $word in
  guest=*) guest=\${word#guest=} ;;
  ip=*) ip=\${word#ip=} ;;
  conductor=*) conductor=\${word#conductor=} ;;
  network=*) network=\${word#network=} ;;
  cores=*) cores=\${word#cores=} ;;
  esac
done
hostname "$guest"
ifconfig lo 127.0.0.1 netmask 255.0.0.0 up
ifconfig eth0 "$ip" netmask 255.255.255.0 up
export SKR8TR_BIND=$ip SKR8TR_NETWORKS=$network,127.0.0.0/8 SKR8TR_KEYS=/etc/skr8tr
# A daemon that ends is started again, as systemd would.
keep() {
  name=$1
  shift
  export SKR8TR_STATE=/var/lib/skr8tr/$name
  mkdir -p "$SKR8TR_STATE"
  while :; do
    "skr8tr-$name" "$@" || echo "$name ended with code $?"
    sleep 1
  done
}
key="--pubkey=/etc/skr8tr/ops.pub"
# Each came with a token in its state folder; the conductor with the identity that the tokens name.
case $guest in
conductor)
  keep conductor "$key" --tower "$ip:7772" &
  # The services look each other up at the tower.
  keep tower --join /var/lib/skr8tr/tower/join.token --plain "$network" &
  keep ingress --join /var/lib/skr8tr/ingress/join.token --tower "$ip:7772" --http 8080 &
  ;;
*)
  keep node "$key" --name "$guest" --join /var/lib/skr8tr/node/join.token \\
    --conductor "$conductor:7770" --tower "$conductor:7772" --path /skr8tr:/usr/bin:/bin \\
    --cpus "$cores" --workdir / &
  ;;
esac
echo "guest $guest is up at $ip"
while :; do sleep 3600; done
`;

/** What a node needs and busybox has not. */
const TOOLS = ["/usr/bin/flock"];

const MODULES = ["virtio_pci", "virtio_net", "virtio_rng"];

/**
 * The image of all guests; what is a guest's own comes in a second archive after it.
 *
 * @param bundle folder of the bundle, as `deno task bundle` makes it
 * @throws {Failure} `no-busybox`, `no-library`.
 */
export async function makeImage(
  kernel: Kernel,
  bundle: string,
  publicKey: string,
): Promise<Uint8Array> {
  const files: InitramfsEntry[] = [
    { path: "init", content: new TextEncoder().encode(INIT), mode: 0o755 },
    { path: "bin/busybox", content: await busybox(), mode: 0o755 },
    { path: "etc/skr8tr/ops.pub", content: await Deno.readFile(publicKey) },
    { path: "etc/passwd", content: new TextEncoder().encode("root:x:0:0:root:/root:/bin/sh\n") },
    { path: "etc/group", content: new TextEncoder().encode("root:x:0:\n") },
    ...["proc", "sys", "dev", "tmp", "root", "var/lib"].map((each) => ({
      path: each,
      folder: true,
    } as const)),
    ...modulesOf(kernel, MODULES),
    ...await librariesOf([`${bundle}/deno`, ...TOOLS]),
    ...TOOLS.map((path) => ({
      path: path.slice(1),
      content: Deno.readFileSync(path),
      mode: 0o755,
    })),
    ...await filesOf(bundle, "skr8tr"),
  ];
  return initramfs(files, 0);
}

async function busybox(): Promise<Uint8Array> {
  for (const path of ["/usr/bin/busybox", "/bin/busybox"]) {
    try {
      const bytes = await Deno.readFile(path);
      if (!new TextDecoder("latin1").decode(bytes.subarray(0, 4_096)).includes("ld-linux")) {
        return bytes;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Failure("no-busybox", "no busybox that stands alone is here; install busybox-static");
}

/** What the dynamic linker would load for programs, and the linker itself. */
async function librariesOf(programs: readonly string[]): Promise<InitramfsEntry[]> {
  const { stdout } = await new Deno.Command("ldd", { args: [...programs], stderr: "null" })
    .output();
  const found = new TextDecoder().decode(stdout).matchAll(
    /(?:=> |^\t)(\/[^ \n:]+) \(0x/gm,
  );
  const paths = [...new Set([...found].map((each) => each[1]!))];
  if (paths.length === 0) throw new Failure("no-library", `ldd finds nothing for ${programs[0]}`);
  return await Promise.all(
    paths.map(async (path) => ({
      path: path.slice(1),
      content: await Deno.readFile(path),
      mode: 0o755,
    })),
  );
}

async function filesOf(folder: string, below: string): Promise<InitramfsEntry[]> {
  const entries: InitramfsEntry[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const from = `${folder}/${name}`;
    const path = `${below}/${name}`;
    if (isDirectory) entries.push(...await filesOf(from, path));
    else {
      const mode = ((await Deno.stat(from)).mode ?? 0) & 0o777;
      entries.push({ path, content: await Deno.readFile(from), mode });
    }
  }
  return entries;
}
