/** A WebSocket that is talked over for as long as it stands: each answer is followed by a question. */
export class Talk {
  /** Who answered, and when it did last, wall ms. */
  by = "";
  lastMs = 0;
  answers = 0;
  /** When it closed, wall ms. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  readonly #begun = Promise.withResolvers<void>();

  constructor(url: string) {
    const closed = Promise.withResolvers<number>();
    this.closed = closed.promise;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#socket.send("who are you?");
    this.#socket.onmessage = ({ data }) => {
      this.by = String(data);
      this.lastMs = Date.now();
      this.answers++;
      this.#begun.resolve();
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send("and now?");
    };
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code }) => {
      closed.resolve(Date.now());
      this.#begun.reject(new Error(`the socket closed (${code}) before anybody answered`));
    };
    this.#begun.promise.catch(() => {});
  }

  /** Opens one and waits for the first answer. @throws {Error} if it closes before */
  static async open(url: string): Promise<Talk> {
    const talk = new Talk(url);
    await talk.#begun.promise;
    return talk;
  }

  end(): void {
    this.#socket.close();
  }
}
