import { OUTBOX_MAILS } from "../limits.ts";
import { type Mailer, messageOf } from "./mail.ts";

/**
 * Where there is no mail server, mails become files that any mail program opens: the newest
 * `OUTBOX_MAILS` in a folder. A file is named by its Message-ID and appears whole, so a mail that is
 * written twice is there once.
 *
 * @param written hears of each file
 */
export function createOutbox(
  folder: string,
  from: string,
  written: (file: string, to: string) => void,
): Mailer {
  return {
    async send(mail, _beforeEnd, signal) {
      const { bytes } = await messageOf(mail, from);
      signal.throwIfAborted();
      const name = mail.messageId.replace(/[^\w.@-]/g, "");
      const file = `${folder}/${name}.eml`;
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      // Of its own, so that two who write the same mail do not write into each other's.
      const part = `${folder}/${crypto.randomUUID()}.part`;
      await Deno.writeFile(part, bytes, { mode: 0o600 });
      await Deno.rename(part, file);
      written(file, mail.to.email);
      await keepNewest(folder);
    },
  };
}

/** Removes what is too much, with it in time what somebody began to write and could not end. */
async function keepNewest(folder: string): Promise<void> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  if (names.length <= OUTBOX_MAILS) return;
  const files = await Promise.all(names.map(async (name) => {
    const path = `${folder}/${name}`;
    const info = await Deno.stat(path).catch(() => undefined);
    return { path, at: info?.mtime?.getTime() ?? 0 };
  }));
  files.sort((a, b) => b.at - a.at);
  // Another replica may be doing the same.
  for (const { path } of files.slice(OUTBOX_MAILS)) await Deno.remove(path).catch(() => {});
}
