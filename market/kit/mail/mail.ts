import { Readable } from "node:stream";
import { MAIL_CONNECT_MS, MAIL_END_MS } from "../limits.ts";
import type { Contact } from "../modules.ts";

export interface Mail {
  readonly to: Contact;
  readonly subject: string;
  readonly text: string;
  /** The same for every try: a mailbox that gets it twice can tell. */
  readonly messageId: string;
  readonly attachment?: {
    readonly name: string;
    readonly type: string;
    readonly bytes: Uint8Array;
  };
}

/** The server has heard all of a mail and does not take it on. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}

export interface Mailer {
  /**
   * Resolves when a mail has been taken on.
   *
   * @param beforeEnd called before the line by which the server has the whole mail; until it
   *   resolves the mail is not taken on, and if it rejects it is not at all. Not called where
   *   handing over twice does nothing twice.
   * @param signal ends the try
   * @throws {MailRefused} it was not taken on. Anything else that comes after `beforeEnd` leaves
   *   open whether it was.
   */
  send(mail: Mail, beforeEnd: () => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** A mail as it is sent (RFC 5322), and from and to whom. */
export async function messageOf(
  { to, subject, text, messageId, attachment }: Mail,
  from: string,
): Promise<{ readonly bytes: Uint8Array; readonly from: string; readonly to: string[] }> {
  // Imported when first needed: a worker is ready before it has anything to send.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const message = new MailComposer({
    from,
    to: { name: to.name, address: to.email },
    subject,
    // Also where a mail is kept as a file its lines end as they do on the wire.
    text: text.replaceAll("\n", "\r\n"),
    messageId,
    attachments: attachment && [{
      filename: attachment.name,
      contentType: attachment.type,
      content: Buffer.from(attachment.bytes),
    }],
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  const envelope = message.getEnvelope();
  return { bytes: await message.build(), from: envelope.from || "", to: envelope.to };
}

/**
 * Sends by SMTP, over a connection for each mail.
 *
 * @param url `smtp://user:password@host:587`, or `smtps://`
 * @param from the sender's address
 */
export function createMailer(url: string, from: string): Mailer {
  return {
    async send(mail, beforeEnd, signal) {
      const [{ default: SMTPConnection }, { parseConnectionUrl }, message] = await Promise.all([
        import("nodemailer/lib/smtp-connection"),
        import("nodemailer/lib/shared"),
        messageOf(mail, from),
      ]);
      const { auth, ...where } = parseConnectionUrl(url);
      const connection = new SMTPConnection({
        ...where,
        connectionTimeout: MAIL_CONNECT_MS,
        greetingTimeout: MAIL_CONNECT_MS,
        // What comes sooner is the caller's signal.
        socketTimeout: MAIL_END_MS,
      });
      const broken = Promise.withResolvers<never>();
      broken.promise.catch(() => {});
      connection.on("error", broken.reject);
      connection.on("end", () => broken.reject(new Error("the mail server hung up")));
      const aborted = () => broken.reject(signal.reason);
      signal.addEventListener("abort", aborted);
      const steps = async () => {
        signal.throwIfAborted();
        await done((call) => connection.connect(call));
        if (auth && connection.allowsAuth) {
          await done((call) => connection.login({ ...auth, credentials: auth }, call));
        }
        // It is read only once the server has asked for it, so its end comes when all else is there.
        const body = Readable.from((async function* () {
          yield message.bytes;
          await beforeEnd();
        })());
        const envelope = { from: message.from, to: message.to };
        try {
          await done((call) => connection.send(envelope, body, call));
        } catch (error) {
          const { code, message } = error as { code?: string; message: string };
          if (code === "EMESSAGE") throw new MailRefused(message);
          throw error;
        }
        connection.quit();
      };
      try {
        await Promise.race([steps(), broken.promise]);
      } finally {
        signal.removeEventListener("abort", aborted);
        connection.close();
      }
    },
  };
}

/** What comes by a callback. */
function done(call: (back: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => error ? reject(error) : resolve()));
}
