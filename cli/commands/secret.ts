import { Failure } from "../../core/errors.ts";
import { SECRET_BYTES } from "../../core/limits.ts";
import { seal } from "../../core/live/box.ts";
import { SECRET_NAME, storeContext } from "../../core/secret.ts";
import type { SecretsView } from "../../core/view.ts";
import type { Arguments } from "../arguments.ts";
import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { conductorAt } from "../conductor.ts";
import type { Output } from "../output.ts";
import { table } from "../render/table.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const [verb, secret] = args.positional;
  if (verb === "list" && secret === undefined) return await list(args, output);
  if (secret === undefined || (verb !== "set" && verb !== "rm")) {
    throw new Failure("usage", "skr8tr secret needs list, or set or rm and a name");
  }
  if (!SECRET_NAME.test(secret)) {
    throw new Failure("usage", `${secret} is no name of a secret: 1 to 253 of A-Z a-z 0-9 . _ / -`);
  }
  const namespace = args.value("namespace") ?? "default";
  const id = commandId();
  if (verb === "rm") {
    await (await commanding(args)).command({ verb: "UNSECRET", id, namespace, secret });
    const text = `secret ${secret} removed from namespace ${namespace}`;
    return told(context, { namespace, secret, set: false }, text);
  }
  const value = await readValue(args, output);
  const { conductor, command } = await commanding(args);
  const { publicKey } = await conductor.get<{ publicKey: string }>("/api/secret-key");
  const key = Uint8Array.fromBase64(publicKey);
  const sealed = await seal(key, value, storeContext(namespace, secret));
  if (sealed === null) throw new Failure("refused", "the conductor's secret key is no key");
  await command({ verb: "SECRET", id, namespace, secret, sealed });
  const text = `secret ${secret} set in namespace ${namespace}`;
  return told(context, { namespace, secret, set: true }, text);
}

/** From a file, from standard input, or from the keyboard without showing it; never an argument. */
async function readValue(args: Arguments, output: Output): Promise<Uint8Array> {
  const path = args.value("file");
  let value: Uint8Array;
  if (path !== undefined) {
    try {
      value = await Deno.readFile(path);
    } catch (error) {
      throw new Failure("usage", `cannot read ${path}: ${(error as Error).message}`);
    }
  } else if (Deno.stdin.isTerminal()) value = await readHidden(output);
  else {
    const text = new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
    // One line end at the end is the pipe's, not the secret's.
    value = text.at(-1) === 10 ? text.subarray(0, -1) : text;
  }
  if (value.length === 0) throw new Failure("usage", "the secret is empty");
  if (value.length <= SECRET_BYTES) return value;
  throw new Failure("usage", `a secret has at most ${SECRET_BYTES} bytes`);
}

async function readHidden(output: Output): Promise<Uint8Array> {
  output.raw("value (not shown): ");
  Deno.stdin.setRaw(true);
  const bytes: number[] = [];
  try {
    for await (const chunk of Deno.stdin.readable) {
      for (const byte of chunk) {
        if (byte === 3) throw new Failure("stopped", "stopped");
        if (byte === 13 || byte === 10) return Uint8Array.from(bytes);
        if (byte === 127 || byte === 8) bytes.pop();
        else bytes.push(byte);
      }
    }
    return Uint8Array.from(bytes);
  } finally {
    Deno.stdin.setRaw(false);
    output.raw("\n");
  }
}

async function list(args: Arguments, output: Output): Promise<number> {
  const target = targetOf(args);
  const view = await conductorAt(target.conductor, target.timeoutMs)
    .get<SecretsView>("/api/secrets");
  if (args.has("json")) {
    output.print(JSON.stringify(view));
    return DONE;
  }
  if (view.secrets.length === 0) {
    output.note("there are no secrets");
    return DONE;
  }
  const lines = table(
    view.secrets,
    [
      { title: "NAMESPACE", cell: (each) => each.namespace },
      { title: "SECRET", cell: (each) => each.secret },
      { title: "SET", cell: (each) => new Date(each.wallMs).toISOString().slice(0, 16) },
      { title: "USED BY", cell: (each) => each.apps.join(" ") || "-" },
    ],
    output.paint,
    output.columns,
  );
  lines.forEach((line) => output.print(line));
  return DONE;
}
