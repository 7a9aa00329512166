// What an earlier daemon left behind.

import { logger } from "../../core/live/log.ts";
import type { Adopted } from "../effects.ts";
import type { SavedReplica } from "../saved.ts";
import type { NodeFiles } from "./files.ts";
import type { Processes } from "./process.ts";

/** What an earlier daemon left in the state folder, and which of it runs. */
export async function adopt(files: NodeFiles, processes: Processes): Promise<Adopted[]> {
  const { replicas, damaged } = files.load();
  await processes.endUnknown(new Set([...replicas.map((each) => each.replica), ...damaged]));
  for (const replica of damaged) {
    logger("node").error(
      "the state of {replica} in {folder} is damaged: what it ran is ended, and the conductor will say what is to run",
      { replica, folder: files.folderOf(replica) },
    );
    await processes.abandon(replica);
  }
  return await Promise.all(replicas.map(async (saved) => {
    const alive = hadProcess(saved)
      ? await processes.adopt(saved.replica, saved.instance)
      : { running: false };
    return { saved, ...alive };
  }));
}

/** Says whether a process of this replica had been started. */
export function hadProcess(saved: SavedReplica): boolean {
  return saved.stage !== "pending" && saved.stage !== "finished";
}
