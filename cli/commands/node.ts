import { Failure } from "../../core/errors.ts";
import type { NodeDetailView } from "../../core/view.ts";
import { type Context, DONE, FAILED } from "../command.ts";
import { commanding } from "../commanding.ts";
import { type Conductor, conductorAt } from "../conductor.ts";
import { waitDrained } from "../draining.ts";
import { nodesTable } from "../render/views.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

const VERBS = { cordon: "CORDON", uncordon: "UNCORDON", drain: "DRAIN" } as const;

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const [action = "", node = ""] = args.positional;
  if (action === "show") return await show(context, node);
  if (action === "forget") return await forget(context, node);
  const verb = VERBS[action as keyof typeof VERBS];
  if (!verb) {
    throw new Failure("usage", `${action} is none of show, cordon, uncordon, drain and forget`);
  }
  const { conductor, command } = await commanding(args);
  const wait = action === "drain" && args.has("wait");
  // A drain that goes on already is waited for as well, such as one that was stuck.
  if (wait && await isDraining(conductor, node)) {
    return await waitDrained(conductor, node, output, args.has("json")) ? DONE : FAILED;
  }
  const [, name = node] = await command({ verb, id: commandId(), node });
  if (action !== "drain") {
    const text = action === "cordon" ? `${name} is cordoned` : `${name} takes replicas again`;
    return told(context, { node: name, cordoned: action === "cordon" }, text);
  }
  if (wait) {
    return await waitDrained(conductor, name, output, args.has("json")) ? DONE : FAILED;
  }
  const { placed } = await conductor.get<NodeDetailView>(`/api/nodes/${encodeURIComponent(name)}`);
  const text = `${name} is being drained: ${placed.length} replicas there`;
  return told(context, { node: name, draining: true, left: placed.length }, text);
}

async function isDraining(conductor: Conductor, node: string): Promise<boolean> {
  try {
    const view = await conductor.get<NodeDetailView>(`/api/nodes/${encodeURIComponent(node)}`);
    return view.node.bar === "draining";
  } catch (error) {
    // The command itself says best what is wrong with the name.
    if (error instanceof Failure && error.code === "not-found") return false;
    throw error;
  }
}

async function show({ arguments: args, output }: Context, node: string): Promise<number> {
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const view = await conductor.get<NodeDetailView>(`/api/nodes/${encodeURIComponent(node)}`);
  if (args.has("json")) {
    output.print(JSON.stringify(view));
    return DONE;
  }
  nodesTable([view.node], output).forEach((line) => output.print(line));
  for (const { replica, state, leaving, stays } of view.placed) {
    const more = [leaving ? "leaving" : "", stays ?? ""].filter((text) => text !== "").join("; ");
    output.print(`  ${replica} ${state}${more === "" ? "" : `: ${more}`}`);
  }
  return DONE;
}

async function forget(context: Context, member: string): Promise<number> {
  const { command } = await commanding(context.arguments);
  await command({ verb: "FORGET", id: commandId(), member });
  const text = `${member} is forgotten: its key is admitted no more`;
  return told(context, { member, forgotten: true }, text);
}
