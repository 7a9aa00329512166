// Runs a WASI preview 1 module as a program of its own:
// `deno run ... wasm.ts MODULE [r:FOLDER|w:FOLDER]... -- WORD...`. The module gets these folders, the
// words and the environment, and nothing else: it has no way to a network or to other programs.

import process from "node:process";
import { WASI } from "node:wasi";

/** Exit codes of the runner itself: no module that can be run, and one that trapped. */
const NOT_A_MODULE = 126;
const TRAPPED = 134;

/** Runs a module to its end; the exit code comes back. */
export async function runModule(
  path: string,
  grants: readonly string[],
  words: readonly string[],
): Promise<number> {
  const folders = grants.map((grant) => grant.slice(2));
  const wasi = new WASI({
    version: "preview1",
    args: [path, ...words],
    env: Deno.env.toObject(),
    preopens: Object.fromEntries(folders.map((folder) => [folder, folder])),
    returnOnExit: true,
  });
  // The runtime numbers what it opens for a module from 3 on, in this order.
  const readOnly = grants.flatMap((grant, at) => grant.startsWith("r:") ? [3 + at] : []);
  const memory: { of: WebAssembly.Memory | null } = { of: null };
  const imports = narrowed(wasi.getImportObject() as WebAssembly.Imports, readOnly, memory);
  let instance: WebAssembly.Instance;
  try {
    const module = await WebAssembly.compile(await Deno.readFile(path));
    const fault = whyNot(module);
    if (fault !== null) {
      console.error(`${path} ${fault}`);
      return NOT_A_MODULE;
    }
    instance = await WebAssembly.instantiate(module, imports);
  } catch (error) {
    console.error(`${path} is no WebAssembly module: ${(error as Error).message}`);
    return NOT_A_MODULE;
  }
  memory.of = instance.exports.memory as WebAssembly.Memory;
  try {
    return wasi.start(instance) ?? 0;
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) throw error;
    console.error(`the module trapped: ${error.message}`);
    return TRAPPED;
  }
}

function whyNot(module: WebAssembly.Module): string | null {
  const strange = WebAssembly.Module.imports(module).find(({ module: from }) => from !== WASI_NAME);
  if (strange) return `needs ${strange.module}.${strange.name}, which WASI preview 1 does not have`;
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  if (!names.has("_start")) return "is a library: it has no _start";
  return names.has("memory") ? null : "exports no memory";
}

const WASI_NAME = "wasi_snapshot_preview1";
/** `ENOTCAPABLE` of WASI. */
const NOT_CAPABLE = 76;
/** Create and truncate, of the flags of `path_open`. */
const WRITING_FLAGS = 1 | 8;
/** Rights by which a file or folder could be changed: of preview 1's 30, those that write. */
const WRITING_RIGHTS = [0, 6, 8, 9, 10, 11, 12, 16, 17, 19, 20, 22, 23, 24, 25, 26]
  .reduce((all, bit) => all | 1n << BigInt(bit), 0n);
/** Calls that change what is below a folder, with the arguments that name folders. */
const CHANGING: Readonly<Record<string, readonly number[]>> = {
  path_create_directory: [0],
  path_filestat_set_times: [0],
  path_link: [0, 4],
  path_remove_directory: [0],
  path_rename: [0, 3],
  path_symlink: [2],
  path_unlink_file: [0],
};

type Call = (...words: (number | bigint)[]) => number;

/**
 * The runtime opens folders for reading and writing only; what is granted for reading is held to
 * that here, with everything that is opened from it.
 */
function narrowed(
  imports: WebAssembly.Imports,
  readOnly: readonly number[],
  memory: { readonly of: WebAssembly.Memory | null },
): WebAssembly.Imports {
  const calls = imports[WASI_NAME] as Record<string, Call>;
  const narrow = new Set<number | bigint | undefined>(readOnly);
  const refusing = Object.entries(CHANGING).map(([name, folders]) =>
    [
      name,
      (...words: (number | bigint)[]) =>
        folders.some((at) => narrow.has(words[at])) ? NOT_CAPABLE : calls[name]!(...words),
    ] as const
  );
  return {
    [WASI_NAME]: {
      ...calls,
      ...Object.fromEntries(refusing),
      path_open(...words: (number | bigint)[]) {
        const [folder, , , , flags = 0, rights = 0n, inherited = 0n, , opened = 0] = words;
        if (!narrow.has(folder)) return calls.path_open!(...words);
        if ((Number(flags) & WRITING_FLAGS) !== 0) return NOT_CAPABLE;
        words[5] = BigInt(rights) & ~WRITING_RIGHTS;
        words[6] = BigInt(inherited) & ~WRITING_RIGHTS;
        if (BigInt(rights) & 1n << 6n) return NOT_CAPABLE;
        const errno = calls.path_open!(...words);
        if (errno === 0) {
          narrow.add(new DataView(memory.of!.buffer).getUint32(Number(opened), true));
        }
        return errno;
      },
      fd_close(...words: (number | bigint)[]) {
        narrow.delete(words[0]);
        return calls.fd_close!(...words);
      },
      fd_renumber(...words: (number | bigint)[]) {
        const errno = calls.fd_renumber!(...words);
        if (errno === 0) {
          if (narrow.delete(words[0])) narrow.add(words[1]!);
          else narrow.delete(words[1]);
        }
        return errno;
      },
    },
  };
}

if (import.meta.main) {
  const [path = "", ...rest] = Deno.args;
  const cut = rest.indexOf("--");
  // That WASI may change is not the operator's concern; the log is theirs.
  process.emitWarning = () => {};
  Deno.exit(await runModule(path, rest.slice(0, cut), rest.slice(cut + 1)));
}
