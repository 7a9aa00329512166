import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Database, type Migrations, row, rows } from "./database.ts";
import { Problem } from "./problem.ts";
import { eachStore, openAt, type StorePlace } from "./testing_stores.ts";

const MIGRATIONS: Migrations = [
  ["create table counters (name text primary key, value integer not null, at bigint not null)"],
];
const SETTINGS = { name: "test-svc", migrations: MIGRATIONS };

async function withTwo(place: StorePlace, test: (a: Database, b: Database) => Promise<void>) {
  // Two replicas start at the same moment, as in the cluster.
  const [a, b] = await Promise.all([openAt(place, SETTINGS), openAt(place, SETTINGS)]);
  try {
    await test(a, b);
  } finally {
    await a.close();
    await b.close();
  }
}

eachStore("what one replica writes the other reads", (place) =>
  withTwo(place, async (a, b) => {
    const at = Date.now();
    await a.query("insert into counters (name, value, at) values (?, ?, ?)", "x", 1, at);
    const found = await b.query("select name, value, at from counters where name = ?", "x");
    assertEquals(found.map((each) => ({ ...each })), [{ name: "x", value: 1, at }]);
  }));

eachStore(
  "transaction() undoes everything when its steps throw",
  (place) =>
    withTwo(place, async (a, b) => {
      await assertRejects(
        () =>
          a.transaction(function* () {
            yield* rows("insert into counters (name, value, at) values ('y', 1, 1)");
            throw new Error("thought better of it");
          }),
        Error,
        "thought better of it",
      );
      assertEquals(await b.query("select * from counters"), []);
    }),
);

eachStore(
  "transaction() of two replicas loses no update",
  (place) =>
    withTwo(place, async (a, b) => {
      await a.query("insert into counters (name, value, at) values ('z', 0, 0)");
      const add = (database: Database) =>
        database.transaction(function* () {
          const found = yield* row<{ value: number }>(
            "update counters set value = value + 1 where name = 'z' returning value",
          );
          return found!.value;
        });
      const seen = await Promise.all(Array.from({ length: 100 }, (_, at) => add(at % 2 ? a : b)));
      assertEquals(seen.sort((x, y) => x - y), Array.from({ length: 100 }, (_, at) => at + 1));
    }),
);

eachStore(
  "a constraint's error reaches the caller and leaves the store usable",
  (place) =>
    withTwo(place, async (a) => {
      const insert = "insert into counters (name, value, at) values ('once', 1, 1)";
      await a.query(insert);
      await assertRejects(() => a.query(insert));
      await assertRejects(() => a.transaction(() => rows(insert)));
      assertEquals((await a.query("select * from counters")).length, 1);
    }),
);

eachStore("a newer program migrates an older store once", async (place) => {
  await (await openAt(place, SETTINGS)).close();
  const newer = {
    ...SETTINGS,
    migrations: [...MIGRATIONS, ["alter table counters add column note text"]],
  };
  for (let start = 0; start < 2; start++) {
    const database = await openAt(place, newer);
    assertEquals(await database.query("select note from counters"), []);
    await database.close();
  }
});

eachStore(
  "text of any well-formed kind comes back as it was",
  (place) =>
    withTwo(place, async (a) => {
      const text = `'; drop table counters; -- <b>"\\ ${String.fromCodePoint(0x1f600)} ?`;
      await a.query("insert into counters (name, value, at) values (?, 1, 1)", text);
      const found = await a.query<{ name: string }>("select name from counters");
      assertEquals(found[0]?.name, text);
      assert((await a.query("select 1 as one from counters where name = ?", text)).length === 1);
    }),
);

Deno.test("a store that somebody else holds for too long is away for now, and no error of ours", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const database = await openAt({ folder }, SETTINGS);
  const other = new DatabaseSync(`${folder}/${SETTINGS.name}.db`);
  try {
    other.exec("begin immediate");
    const work = () => rows("insert into counters (name, value, at) values ('x', 1, 1)");
    const problem = await assertRejects(() => database.transaction(work), Problem) as Problem;
    assertEquals([problem.status, problem.field], [503, "store"]);
    other.exec("rollback");
    await database.transaction(work);
    assertEquals((await database.query("select * from counters")).length, 1);
  } finally {
    other.close();
    await database.close();
    Deno.removeSync(folder, { recursive: true });
  }
});
