import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  answerTo,
  commandIdOf,
  formatOperatorCommand,
  type OperatorCommand,
  parseOperatorCommand,
  withCommandId,
} from "./command.ts";
import { MANIFEST_BYTES } from "./limits.ts";

const id = fc.stringMatching(/^[A-Za-z0-9-]{8,64}$/);
const app = fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/);
const generation = fc.integer({ min: 1, max: 999_999_999 });
const path = fc.stringMatching(/^\/[ -~]{0,40}$/);

const commands: fc.Arbitrary<OperatorCommand> = fc.oneof(
  fc.record({
    verb: fc.constant("APPLY" as const),
    id,
    app,
    generation,
    manifest: fc.string({ unit: "binary" }),
  }),
  fc.record({
    verb: fc.constant("APPLY" as const),
    id,
    app,
    generation,
    fallback: generation,
    manifest: fc.string(),
  }),
  fc.record({ verb: fc.constant("DOWN" as const), id, app }),
  fc.record({ verb: fc.constantFrom("SUBMIT" as const, "ROLLOUT" as const), path }),
  fc.record({ verb: fc.constant("EVICT" as const), app }),
  fc.record({
    verb: fc.constant("EXEC" as const),
    app,
    command: fc.string({ unit: "binary", minLength: 1 }),
  }),
);

Deno.test("parseOperatorCommand() reads what formatOperatorCommand() wrote", () => {
  fc.assert(fc.property(commands, (command) => {
    assertEquals(parseOperatorCommand(formatOperatorCommand(command)), command);
  }));
});

Deno.test("parseOperatorCommand() says what a malformed command lacks", () => {
  const cases: [string, string][] = [
    ["", "unknown command"],
    ["apply|x", "unknown command"],
    ["PING", "unknown command"],
    ["APPLY", "APPLY needs an id of 8 to 64 letters, digits or dashes"],
    ["APPLY|short|web|1|-|", "APPLY needs an id of 8 to 64 letters, digits or dashes"],
    ["APPLY|12345678|Web|1|-|", "APPLY needs an app"],
    ["APPLY|12345678|web|0|-|", "APPLY needs a sequence from 1 on"],
    ["APPLY|12345678|web|1e3|-|", "APPLY needs a sequence from 1 on"],
    ["APPLY|12345678|web|1||", "APPLY needs a fallback sequence or -"],
    ["APPLY|12345678|web|1|-|*", "APPLY needs a manifest in base64"],
    ["APPLY|12345678|web|1|-|/w==", "APPLY needs a manifest in base64"],
    ["APPLY|12345678|web|1|-|YQ==|more", "APPLY needs a manifest in base64"],
    [
      `APPLY|12345678|web|1|-|${btoa("a".repeat(MANIFEST_BYTES + 1))}`,
      "APPLY needs a manifest in base64",
    ],
    ["DOWN|12345678", "DOWN needs an app"],
    ["DOWN|12345678|web|more", "DOWN needs an app"],
    ["SUBMIT|relative", "SUBMIT needs an absolute path"],
    ["ROLLOUT|", "ROLLOUT needs an absolute path"],
    ["EVICT|", "EVICT needs an app"],
    ["EXEC|web", "EXEC needs an app and a command"],
  ];
  for (const [text, error] of cases) assertEquals(parseOperatorCommand(text), { error });
});

Deno.test("a manifest may have MANIFEST_BYTES and no more, in bytes", () => {
  const of = (text: string) =>
    parseOperatorCommand(
      formatOperatorCommand({
        verb: "APPLY",
        id: "12345678",
        app: "web",
        generation: 1,
        manifest: text,
      }),
    );
  assert("verb" in of("a".repeat(MANIFEST_BYTES)));
  assert("error" in of("ü".repeat(MANIFEST_BYTES / 2 + 1)));
});

Deno.test("commandIdOf() finds the id of our commands, well formed or not, and none in v1", () => {
  assertEquals(commandIdOf("STOP|0123456789|api"), "0123456789");
  assertEquals(commandIdOf("APPLY|0123456789"), "0123456789");
  for (const text of ["STOP|short|api", "STOP", "EVICT|api-gateway", "LOGS|api-gateway", ""]) {
    assertEquals(commandIdOf(text), null, text);
  }
});

Deno.test("answerTo() takes the answer of the id alone", () => {
  const answer = "ERR|STATE|api is not stopped";
  const told = withCommandId(answer, "0123456789");
  assertEquals(answerTo("0123456789", told), answer);
  assertEquals(answerTo("9876543210", told), null);
  assertEquals(answerTo("0123456789", answer), null);
});
