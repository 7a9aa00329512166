import { Failure } from "../../core/errors.ts";
import type { VolumeView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { commanding } from "../commanding.ts";
import { conductorAt } from "../conductor.ts";
import { table } from "../render/table.ts";
import { commandId } from "../send.ts";
import { targetOf } from "../target.ts";
import { told } from "../told.ts";

export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const [action, app] = args.positional;
  if (action === "list" && app === undefined) return await list(context);
  if (action !== "rm" || app === undefined) {
    throw new Failure("usage", "say skr8tr volume list, or skr8tr volume rm APP");
  }
  const { command } = await commanding(args);
  const how = args.has("lost") ? "lost" : "stopped";
  const [, , nodes = ""] = await command({ verb: "RELEASE", id: commandId(), app, how });
  output.note(
    "the files stay there; the app starts anew, with an empty volume, when it has ended there",
  );
  const text = `${app} gives up its volume on ${nodes.replaceAll(",", ", ")}`;
  return told(context, { app, released: nodes.split(",") }, text);
}

async function list({ arguments: args, output }: Context): Promise<number> {
  const target = targetOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const { volumes } = await conductor.get<{ volumes: VolumeView[] }>("/api/volumes");
  if (args.has("json")) output.print(JSON.stringify(volumes));
  else if (volumes.length === 0) output.note("no app has a volume");
  else {
    const lines = table<VolumeView>(
      volumes,
      [
        { title: "APP", cell: (volume) => volume.app, least: 8 },
        { title: "PATH", cell: (volume) => volume.path, least: 8 },
        { title: "HOME", cell: (volume) => volume.home ?? "-", least: 6 },
        { title: "STATE", cell: (volume) => volume.state },
        { title: "REPLICAS", cell: (volume) => String(volume.replicas), right: true },
      ],
      output.paint,
      output.columns,
    );
    for (const line of lines) output.print(line);
  }
  return DONE;
}
