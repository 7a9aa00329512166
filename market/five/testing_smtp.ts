import { SMTPServer } from "smtp-server";

// A real SMTP server for tests: it takes mails on as any other would, and keeps them.

export interface TakenMail {
  readonly to: readonly string[];
  /** From its Message-ID line. */
  readonly id: string;
  readonly raw: string;
}

export interface TestSmtp {
  /** `smtp://127.0.0.1:...` */
  readonly url: string;
  /** What it has taken on, as often as it was sent. */
  readonly mails: TakenMail[];
  /** What a mailbox that knows mails by their id holds. */
  ids(): string[];
  stop(): Promise<void>;
}

export interface SmtpHooks {
  /** Called when somebody wants to send a mail to this address; an error refuses it. */
  addressed?(to: string): void | Promise<void>;
  /** Called with a mail that has come whole, before it is taken on; an error refuses it. */
  arriving?(mail: TakenMail): void | Promise<void>;
  /** Called when it was taken on, before the sender is told; who hangs up tells it nothing. */
  taken?(mail: TakenMail): void | "hang up" | Promise<void | "hang up">;
}

/** Starts a server on a port of its own. */
export async function startSmtp(hooks: SmtpHooks = {}): Promise<TestSmtp> {
  const mails: TakenMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    async onRcptTo({ address }, _session, answer) {
      try {
        await hooks.addressed?.(address);
        answer();
      } catch (error) {
        answer(error as Error);
      }
    },
    onData(stream, session, answer) {
      const chunks: Uint8Array[] = [];
      stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      stream.on("end", async () => {
        const raw = await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text();
        const id = /^Message-ID:\s*(<[^>]*>)/mi.exec(raw)?.[1] ?? "";
        const mail = { to: session.envelope.rcptTo.map((each) => each.address), id, raw };
        try {
          await hooks.arriving?.(mail);
          mails.push(mail);
          if (await hooks.taken?.(mail) === "hang up") {
            for (const connection of server.connections) connection.close();
            return;
          }
          answer();
        } catch (error) {
          answer(error as Error);
        }
      });
    },
  });
  // A client that is killed in the middle is nothing to stop for.
  server.on("error", () => {});
  const listening = Promise.withResolvers<void>();
  const listener = server.listen(0, "127.0.0.1", () => listening.resolve());
  await listening.promise;
  const { port } = listener.address() as { port: number };
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    ids: () => [...new Set(mails.map((each) => each.id))].sort(),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
