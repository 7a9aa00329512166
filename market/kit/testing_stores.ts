import { freePort } from "../../core/live/free_port_testing.ts";
import { type Database, type DatabaseSettings, openDatabase } from "./database.ts";

// One suite on both stores: `eachStore` registers a test twice. PostgreSQL comes from Debian's
// package, on a folder and a port of its own; where it is not installed the test says so.

/** Where a test's stores are: what `openDatabase` needs besides the service's name and schema. */
export type StorePlace = Pick<DatabaseSettings, "folder" | "url">;

const START_MS = 20_000;

/**
 * Registers `<name> (sqlite)` and `<name> (postgres)`; each gets an empty place of its own.
 *
 * @param options of the first; the other never looks for what is left open
 */
export function eachStore(
  name: string,
  test: (place: StorePlace) => Promise<void>,
  options: Pick<Deno.TestDefinition, "sanitizeOps" | "sanitizeResources"> = {},
): void {
  stopAfterAll();
  Deno.test({
    ...options,
    name: `${name} (sqlite)`,
    fn: async () => {
      const folder = Deno.makeTempDirSync({ prefix: "market-" });
      try {
        await test({ folder });
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
  Deno.test({
    name: `${name} (postgres)`,
    // The server is started by the first test that needs it and lives as long as the file's tests.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const server = await postgresServer();
      if (!server) return console.log("not run: PostgreSQL is not installed");
      await test({ url: await server.createDatabase() });
    },
  });
}

/** The environment that gives a service this place. */
export function placeEnv(place: StorePlace): Record<string, string> {
  return place.url ? { DATABASE_URL: place.url } : { DATA_DIR: place.folder! };
}

/** Opens a store at a place. */
export function openAt(
  place: StorePlace,
  settings: Pick<DatabaseSettings, "name" | "migrations">,
): Promise<Database> {
  return openDatabase({ ...settings, ...place });
}

interface PostgresServer {
  /** Makes an empty database; its URL. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

let shared: Promise<PostgresServer | undefined> | undefined;
let stopsAfterAll = false;

/** To be called while tests are registered: during one it would come too late. */
function stopAfterAll(): void {
  if (stopsAfterAll) return;
  stopsAfterAll = true;
  Deno.test.afterAll(async () => await (await shared)?.stop());
}

/** The file's server, started at the first call; undefined where PostgreSQL is not installed. */
function postgresServer(): Promise<PostgresServer | undefined> {
  return shared ??= startPostgres();
}

function binaries(): string | undefined {
  const root = "/usr/lib/postgresql";
  try {
    const versions = [...Deno.readDirSync(root)].map((each) => each.name).sort();
    return versions.length ? `${root}/${versions.at(-1)}/bin` : undefined;
  } catch {
    return undefined;
  }
}

/** PostgreSQL refuses to run as root; Debian's package brings an account for it. */
async function account(): Promise<{ uid?: number; gid?: number }> {
  if (Deno.uid() !== 0) return {};
  const id = async (flag: string) => {
    const { stdout } = await new Deno.Command("id", { args: [flag, "postgres"] }).output();
    return Number(new TextDecoder().decode(stdout));
  };
  return { uid: await id("-u"), gid: await id("-g") };
}

async function startPostgres(): Promise<PostgresServer | undefined> {
  const bin = binaries();
  if (!bin) return undefined;
  const folder = Deno.makeTempDirSync({ prefix: "market-postgres-" });
  const as = await account();
  if (as.uid !== undefined) Deno.chownSync(folder, as.uid, as.gid!);
  const options = { cwd: folder, stdin: "null", stdout: "null", stderr: "null", ...as } as const;
  const made = await new Deno.Command(`${bin}/initdb`, {
    args: ["-D", `${folder}/data`, "-U", "market", "-A", "trust", "--no-sync", "-E", "UTF8"],
    ...options,
    stderr: "piped",
  }).output();
  if (!made.success) throw new Error(`initdb: ${new TextDecoder().decode(made.stderr)}`);
  const port = freePort();
  const server = new Deno.Command(`${bin}/postgres`, {
    args: [
      ...["-D", `${folder}/data`, "-p", String(port), "-k", folder, "-c", "fsync=off"],
      ...["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100"],
    ],
    ...options,
  }).spawn();
  const base = `postgres://market@127.0.0.1:${port}`;
  const { default: postgres } = await import("postgres");
  const admin = postgres(`${base}/postgres`, { max: 1, onnotice: () => {} });
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      await admin`select 1`;
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  let databases = 0;
  return {
    async createDatabase() {
      const name = `market_${++databases}`;
      await admin.unsafe(`create database ${name}`);
      return `${base}/${name}`;
    },
    async stop() {
      await admin.end({ timeout: 1 });
      server.kill("SIGQUIT");
      await server.status;
      Deno.removeSync(folder, { recursive: true });
    },
  };
}
