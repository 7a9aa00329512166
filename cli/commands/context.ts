import { CONDUCTOR_PORT, readAddress, showAddress, TOWER_PORT } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import {
  contextNamed,
  type Contexts,
  type Pinned,
  readContexts,
  writeContexts,
} from "../context.ts";
import { table } from "../render/table.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export async function run(context: Context): Promise<number> {
  const { arguments: args } = context;
  const [verb, name] = args.positional;
  const all = readContexts();
  if (verb === "list" && name === undefined) return list(all, context);
  if (name === undefined) throw new Failure("usage", `skr8tr context ${verb} needs a name`);
  switch (verb) {
    case "add":
      return await add(all, name, context);
    case "use":
      contextNamed(all, name);
      writeContexts({ ...all, current: name });
      return told(context, { name, current: true }, `${name} is what skr8tr talks to now`);
    case "rm":
      remove(all, name);
      return told(context, { name, forgotten: true }, `${name} is forgotten`);
    default:
      throw new Failure("usage", "skr8tr context knows add, list, use and rm");
  }
}

function addressIn(args: Arguments, name: string, port: number): string | undefined {
  const value = args.value(name);
  return value?.split(",").map((each) => showAddress(readAddress(each.trim(), name, port)))
    .join(",");
}

async function add(all: Contexts, name: string, context: Context) {
  const { arguments: args } = context;
  if (!NAME.test(name)) throw new Failure("usage", `${name} is no name for a context`);
  const fingerprint = args.value("fingerprint")?.toLowerCase();
  if (fingerprint !== undefined && !/^[0-9a-f]{64}$/.test(fingerprint)) {
    throw new Failure("usage", "--fingerprint needs the 64 hex characters of the conductor's key");
  }
  const conductor = addressIn(args, "conductor", CONDUCTOR_PORT);
  if (conductor === undefined) {
    throw new Failure("usage", "skr8tr context add needs --conductor HOST[:PORT]");
  }
  const tower = addressIn(args, "tower", TOWER_PORT);
  const key = args.value("key");
  const pinned = knownAt(all, conductor, fingerprint);
  const saved = {
    conductor,
    ...(pinned === undefined ? {} : { pinned }),
    ...(tower === undefined ? {} : { tower }),
    ...(key === undefined ? {} : { key: key.startsWith("/") ? key : `${Deno.cwd()}/${key}` }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  };
  const current = all.current ?? name;
  writeContexts({ ...all, current, contexts: { ...all.contexts, [name]: saved } });
  try {
    // Its key is seen now and known from now on.
    const target = targetOf({
      ...args,
      value: (option) =>
        option === "context" ? name : option === "timeout" ? args.value(option) : undefined,
    });
    await conductorAt(target.conductor, target.timeoutMs).ask("HEAD", "/health");
  } catch (error) {
    writeContexts(all);
    throw error;
  }
  const text = `${name}: ${conductor}${current === name ? ", in use" : ""}`;
  return told(context, { name, conductor, current: current === name }, text);
}

/** The key by which one of the addresses is known from before; it must be the one that was told. */
function knownAt(all: Contexts, conductor: string, fingerprint?: string): Pinned | undefined {
  const address = conductor.split(",").find((each) => Object.hasOwn(all.known, each));
  const pinned = address === undefined ? undefined : all.known[address];
  if (!pinned || fingerprint === undefined || pinned.identity === fingerprint) return pinned;
  throw new Failure(
    "conductor-changed",
    `the conductor at ${address} is known by the key ${pinned.identity.slice(0, 16)}..., not by ` +
      "this fingerprint: somebody may have stood between you and it. Forget what was known: " +
      `skr8tr context rm ${address}`,
  );
}

function remove(all: Contexts, name: string): void {
  const { [name]: context, ...contexts } = all.contexts;
  const { [name]: known, ...rest } = all.known;
  if (!context && !known) contextNamed(all, name);
  const { current, ...without } = all;
  const kept = current === name ? without : all;
  writeContexts({
    ...kept,
    contexts: context ? contexts : all.contexts,
    known: known ? rest : all.known,
  });
}

function list(all: Contexts, { arguments: args, output }: Context): number {
  const rows = Object.entries(all.contexts).map(([name, context]) => ({ name, ...context }));
  if (args.has("json")) {
    output.print(
      JSON.stringify(rows.map((row) => ({ ...row, current: row.name === all.current }))),
    );
    return DONE;
  }
  if (rows.length === 0) output.note("no contexts; skr8tr context add makes one");
  else {
    const columns = [
      { title: "", cell: (row: typeof rows[number]) => row.name === all.current ? "*" : " " },
      { title: "NAME", cell: (row: typeof rows[number]) => row.name },
      { title: "CONDUCTOR", cell: (row: typeof rows[number]) => row.conductor },
      {
        title: "ITS KEY",
        cell: (row: typeof rows[number]) =>
          (row.pinned?.identity ?? row.fingerprint ?? "not seen yet").slice(0, 16),
      },
    ];
    for (const line of table(rows, columns, output.paint, output.columns)) output.print(line);
  }
  return DONE;
}
