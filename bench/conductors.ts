// Further conductors for a world: the first one's specification at other ports and with a state of
// its own, and everybody told of all of them.

import { type Address, showAddress } from "../core/address.ts";
import type { DaemonSpec } from "../cli/cluster/supervisor.ts";
import type { Layout } from "../cli/cluster/layout.ts";
import { sealKeysPath } from "../core/live/seal_keys.ts";

export interface FurtherConductor {
  readonly name: string;
  readonly commands: Address;
  readonly mesh: Address;
}

/** So many more, at ports that are free now. All of them hold the identity of the first. */
export async function furtherConductors(
  { conductor: { hostname } }: Layout,
  state: string,
  count: number,
): Promise<FurtherConductor[]> {
  const free = () => {
    using listener = Deno.listen({ hostname, port: 0 });
    return { hostname, port: listener.addr.port };
  };
  const conductors = Array.from({ length: count }, (_, at) => ({
    name: `conductor-${at + 2}`,
    commands: free(),
    mesh: free(),
  }));
  for (const { name } of conductors) {
    await Deno.mkdir(`${state}/${name}`, { mode: 0o700 });
    const file = sealKeysPath(`${state}/${name}`, "conductor");
    await Deno.copyFile(sealKeysPath(`${state}/conductor`, "conductor"), file);
    await Deno.chmod(file, 0o600);
  }
  return conductors;
}

/** The specifications of all daemons, where there are further conductors. */
export function withConductors(
  specs: readonly DaemonSpec[],
  layout: Layout,
  state: string,
  conductors: readonly FurtherConductor[],
): DaemonSpec[] {
  if (conductors.length === 0) return [...specs];
  const all = (first: Address, of: "commands" | "mesh") =>
    [first, ...conductors.map((each) => each[of])].map(showAddress).join(",");
  const commands = all(layout.conductor, "commands");
  const told = (name: string) => {
    if (name === "conductor") return [];
    return name.startsWith("node-")
      ? [`--conductor=${all(layout.mesh, "mesh")}`, `--follow=${commands}`]
      : [`--conductor=${commands}`];
  };
  const [first] = specs.filter(({ name }) => name === "conductor");
  const further = conductors.map(({ name, commands, mesh }): DaemonSpec => ({
    name,
    log: `${state}/logs/${name}.log`,
    environment: first!.environment,
    args: [
      ...first!.args.map((arg) => arg.replaceAll(`${state}/conductor`, `${state}/${name}`)),
      ...[`--port=${commands.port}`, `--mesh-port=${mesh.port}`, `--name=${name}`],
    ],
  }));
  return [
    ...specs.map((spec) => ({ ...spec, args: [...spec.args, ...told(spec.name)] })),
    ...further,
  ];
}
