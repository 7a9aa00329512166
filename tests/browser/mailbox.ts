// Mails of a shop without a mail server: files in the outbox of who sends them.

import { assert } from "@std/assert";

/** How long a mail may take to come, ms. */
const DEADLINE_MS = 30_000;

/** Reads what was sent to whom. */
export interface Mailbox {
  /** Waits until there are `count` mails to an address with this subject; the one that came last. */
  wait(to: string, subject: RegExp, count?: number): Promise<string>;
}

/** @param folders where mails may be; one that is not there is empty */
export function mailboxIn(folders: () => readonly string[]): Mailbox {
  return {
    async wait(to, subject, count = 1) {
      const deadline = performance.now() + DEADLINE_MS;
      for (;;) {
        const found = folders().flatMap(mailsIn)
          .filter(({ raw }) => raw.includes(`<${to}>`) && subject.test(raw))
          .sort((a, b) => a.at - b.at);
        if (found.length >= count) return found.at(-1)!.raw;
        assert(performance.now() < deadline, `${found.length} mails ${subject} came to ${to}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

function mailsIn(folder: string): { at: number; raw: string }[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return names.filter((name) => name.endsWith(".eml")).map((name) => ({
    at: Deno.statSync(`${folder}/${name}`).mtime!.getTime(),
    raw: Deno.readTextFileSync(`${folder}/${name}`),
  }));
}
