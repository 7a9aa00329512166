/** The watch over whoever started this process. */
export interface StarterWatch {
  /** Resolves when one of the processes above has ended. */
  readonly ended: Promise<void>;
  /** Ends the watch; `ended` then never resolves. */
  stop(): void;
}

/**
 * Watches the processes above this one: a SIGTERM to `npx` reaches neither the shell that it
 * started nor us, and a closed terminal or a killed script tell nobody either. A small `sh` does it
 * (starter.sh), because Deno refuses /proc to programs without all permissions.
 */
export function watchStarter(): StarterWatch {
  const script = decodeURIComponent(new URL("starter.sh", import.meta.url).pathname);
  const helper = new Deno.Command("sh", {
    args: [script, String(Deno.pid)],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let stopped = false;
  return {
    ended: helper.status.then(() => stopped ? new Promise<void>(() => {}) : undefined),
    stop() {
      stopped = true;
      try {
        helper.kill("SIGTERM");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended already
      }
    },
  };
}
