import { DONE, FIELD_INTS, FIELD_START, ID, type Progress } from "./field_block.ts";
import { DATE, UPGRADE } from "./fields.ts";
import { BY_LENGTH, CHUNKED, MessageHead, NO_BODY, UNTIL_CLOSE } from "./message_head.ts";
import { isDigit } from "./target.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

// Phases of a status line; those of the field section follow from FIELD_START.
const VERSION_BYTES = 0;
const STATUS_CODE = 1;
const REASON = 2;
const LINE_LF = 3;

/** The head of a response. */
export class ResponseHead extends MessageHead {
  code = 0;
  /** Offset of the three digits of the code, and the end of the status line, LF included. */
  codeStart = 0;
  lineEnd = 0;
  /** The replica said when it answered. */
  hasDate = false;
  private digits = 0;

  /** Starts a new message at `start`. */
  restart(start: number): void {
    this.restartMessage(start, VERSION_BYTES);
    this.digits = 0;
    this.code = 0;
  }

  /**
   * Parses on. `toHead`: the request was HEAD, so that no content follows whatever the fields say.
   */
  parse(bytes: Uint8Array, end: number, toHead: boolean): Progress {
    const stop = this.bound(end);
    for (;;) {
      let at = this.at;
      switch (this.phase) {
        case VERSION_BYTES: {
          const progress = this.parseVersion(bytes, stop);
          if (progress !== DONE) return progress;
          at = this.at;
          if (at === stop) return this.wait(at);
          if (bytes[at] !== SPACE) return this.bad(502, "bad status line");
          this.at = this.codeStart = at + 1;
          this.phase = STATUS_CODE;
          continue;
        }
        case STATUS_CODE: {
          while (this.digits < 3) {
            if (at === stop) return this.wait(at);
            if (!isDigit(bytes[at]!)) return this.bad(502, "status is not three digits");
            this.code = this.code * 10 + bytes[at]! - 0x30;
            this.digits++;
            at++;
          }
          if (at === stop) return this.wait(at);
          if (bytes[at] !== SPACE && bytes[at] !== CR) {
            return this.bad(502, "status is not three digits");
          }
          if (this.code < 100 || this.code > 599) return this.bad(502, "status out of range");
          this.at = at;
          this.phase = REASON;
          continue;
        }
        case REASON: {
          while (at < stop) {
            const byte = bytes[at]!;
            if (byte < SPACE ? byte !== TAB : byte === 0x7f) break;
            at++;
          }
          if (at === stop) return this.wait(at);
          if (bytes[at] !== CR) return this.bad(502, "control byte in the status line");
          this.at = at + 1;
          this.phase = LINE_LF;
          continue;
        }
        case LINE_LF:
          if (at === stop) return this.wait(at);
          if (bytes[at] !== LF) return this.bad(502, "bare CR in the status line");
          this.at = this.lineEnd = this.fieldsStart = at + 1;
          this.phase = FIELD_START;
          continue;
        default: {
          const progress = this.parseFields(bytes, stop);
          return progress === DONE ? this.finish(bytes, toHead) : progress;
        }
      }
    }
  }

  /** 1xx, which another response follows. */
  get interim(): boolean {
    return this.code < 200;
  }

  private finish(bytes: Uint8Array, toHead: boolean): Progress {
    this.readMessageFields(bytes);
    this.hasDate = false;
    let upgrades = false;
    for (let base = 0, end = this.fieldCount * FIELD_INTS; base < end; base += FIELD_INTS) {
      const id = this.fields[base + ID];
      if (id === DATE) this.hasDate = true;
      else if (id === UPGRADE) upgrades = true;
    }
    if (this.code === 101 && !upgrades) return this.bad(502, "101 without Upgrade");
    if (this.badFraming !== "") return this.bad(502, this.badFraming);
    if (this.codings > 0) {
      if (this.lengths > 0) return this.bad(502, "Content-Length beside Transfer-Encoding");
      if (this.minor === 0) return this.bad(502, "Transfer-Encoding in HTTP/1.0");
      if (this.chunkedCodings !== 1 || !this.lastIsChunked || this.unknownCoding) {
        return this.bad(502, "transfer coding is not chunked");
      }
    }
    if (toHead || this.code < 200 || this.code === 204 || this.code === 304) this.framing = NO_BODY;
    else if (this.codings > 0) this.framing = CHUNKED;
    else if (this.lengths > 0) this.framing = this.length > 0 ? BY_LENGTH : NO_BODY;
    else this.framing = UNTIL_CLOSE;
    return DONE;
  }

  /** Whether the message carried Content-Length. */
  get hasLength(): boolean {
    return this.lengths > 0;
  }
}
